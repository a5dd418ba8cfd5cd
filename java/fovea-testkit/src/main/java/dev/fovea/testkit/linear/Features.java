package dev.fovea.testkit.linear;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Geometry;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(LinearCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", o.dtype().name());
    f.put("out", o.outDType() == o.dtype() ? "same" : o.outDType().name());
    f.put("mask", o.causal() ? "causal" : "full");
    f.put("normalised", flag(o.normalised()));
    f.put("features", o.featureMap().name());
    f.put("scale", flag(o.scale() != null));
    f.put("decay", !c.has("decay") ? "off" : isShared(c) ? "shared" : "on");
    f.put("keyDecay", flag(c.has("key_decay")));
    f.put("beta", flag(c.has("beta")));
    f.put("initialState", flag(c.has("initial_state")));
    f.put("lengths", FeatureValues.lengths(g));
    f.put("group", FeatureValues.group(g));
    f.put("headDim", FeatureValues.headDim(g.headDim()));
    f.put("valueDim", FeatureValues.headDim(g.valueHeadDim()));
    f.put("queries", FeatureValues.size(g.queryLength()));
    f.put("keys", FeatureValues.size(g.keyLength()));
    f.put("shape", FeatureValues.shape(g));
    f.put("queryLayout", FeatureValues.layout(c.layout("query")));
    f.put("keyLayout", FeatureValues.layout(c.layout("key")));
    f.put("valueLayout", FeatureValues.layout(c.layout("value")));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    if (!c.isBackward()) {
      f.put("outLayout", FeatureValues.layout(c.layout("out")));
      f.put("finalState", flag(c.has("final_state")));
      return f;
    }
    f.put("gradients", c.gradients().dtype() == o.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", flag(c.gradients().deterministic()));
    f.put("accumulate", flag(c.gradients().accumulate()));
    for (String of : new String[] {"decay", "key_decay", "beta", "initial_state"}) {
      f.put("d" + of, c.has("d" + of) ? "on" : c.has(of) ? "not-asked" : "off");
    }
    f.put("doutLayout", FeatureValues.layout(c.layout("dout")));
    f.put("dqueryLayout", FeatureValues.layout(c.layout("dquery")));
    f.put("dkeyLayout", FeatureValues.layout(c.layout("dkey")));
    return f;
  }

  /** One decay for all positions. */
  private static boolean isShared(LinearCase c) {
    return c.layout("decay").size()[1] == 1 || c.layout("decay").isShared();
  }

  private static String flag(boolean on) {
    return on ? "on" : "off";
  }
}

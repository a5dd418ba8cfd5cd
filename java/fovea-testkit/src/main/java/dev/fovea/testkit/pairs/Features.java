package dev.fovea.testkit.pairs;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(PairCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", o.dtype().name());
    f.put("out", o.outDType() == o.dtype() ? "same" : o.outDType().name());
    f.put("mask", FeatureValues.mask(o.visibility()));
    f.put("alignment", o.visibility().topLeft() ? "top-left" : "bottom-right");
    f.put("window", FeatureValues.window(o.visibility()));
    boolean additive = c.kind() == Kind.ADDITIVE;
    if (additive) {
      f.put("bias", flag(c.has("bias")));
    } else {
      Float ridge = o.ridge();
      f.put("fit", ridge == null ? "constant" : ridge == 0 ? "linear" : "ridge");
    }
    f.put("dropout", flag(o.dropout() > 0));
    f.put("lengths", FeatureValues.lengths(g));
    f.put("group", FeatureValues.group(g));
    f.put("headDim", headDim(g.headDim()));
    f.put("valueDim", FeatureValues.headDim(g.valueHeadDim()));
    f.put("queries", FeatureValues.size(g.queryLength()));
    f.put("keys", FeatureValues.size(g.keyLength()));
    f.put("shape", FeatureValues.shape(g));
    f.put("pooling", flag(g.queryLength() == 1 && g.queryHeads() == 1));
    f.put("queryLayout", FeatureValues.layout(c.layout("query")));
    f.put("keyLayout", FeatureValues.layout(c.layout("key")));
    if (additive) {
      f.put("weightLayout", FeatureValues.layout(c.layout("weight")));
    }
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    if (!c.isBackward()) {
      f.put("outLayout", FeatureValues.layout(c.layout("out")));
      f.put("lse", flag(c.has("lse")));
      f.put("weights", flag(c.has("weights")));
      f.put("top", flag(c.has("top_keys")));
      return f;
    }
    f.put("gradients", c.gradients().dtype() == o.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", flag(c.gradients().deterministic()));
    f.put("accumulate", flag(c.gradients().accumulate()));
    if (additive) {
      f.put("dweight", flag(c.has("dweight")));
      f.put("dbias", c.has("dbias") ? "on" : c.has("bias") ? "not-asked" : "off");
    } else {
      f.put("dbandwidth", flag(c.has("dbandwidth")));
    }
    f.put("doutLayout", FeatureValues.layout(c.layout("dout")));
    f.put("dqueryLayout", FeatureValues.layout(c.layout("dquery")));
    f.put("dkeyLayout", FeatureValues.layout(c.layout("dkey")));
    return f;
  }

  private static String flag(boolean on) {
    return on ? "on" : "off";
  }

  /** Kernels take up to four terms at a time, and 64 of them before they add up. */
  private static String headDim(int a) {
    if (a < 4) {
      return "1-3";
    }
    if (a % 4 != 0) {
      return "odd";
    }
    return a <= 16 ? "4-16" : a <= 64 ? "20-64" : "68-300";
  }
}

package dev.fovea.testkit.projection;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(ProjectionCase c) {
    ProjectionSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", s.length() >= 1024 ? "1024+" : FeatureValues.size(s.length()));
    f.put("rank", FeatureValues.size(s.rank()));
    f.put("heads", s.heads() == 1 ? "1" : "2+");
    f.put("headDim", FeatureValues.headDim(s.headDim()));
    f.put("weight", weight(c));
    f.put("lengths", lengths(s));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("xLayout", FeatureValues.layout(c.layout("x")));
    f.put("weightLayout", MatrixStyle.name(c.layout("weight")));
    if (!c.isBackward()) {
      f.put("outLayout", FeatureValues.layout(c.layout("out")));
      return f;
    }
    f.put("doutLayout", FeatureValues.layout(c.layout("dout")));
    f.put("dxLayout", FeatureValues.layout(c.layout("dx")));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    f.put("dweight", c.has("dweight") ? MatrixStyle.name(c.layout("dweight")) : "off");
    return f;
  }

  /** Whose it is, if there are heads to have one each. */
  private static String weight(ProjectionCase c) {
    Layout layout = c.layout("weight");
    return c.sizes().heads() == 1
        ? "one-head"
        : layout.size()[0] == 1 ? "shared" : layout.isShared() ? "repeated" : "each";
  }

  private static String lengths(ProjectionSizes s) {
    if (s.lengths() == null) {
      return "full";
    }
    for (int b = 0; b < s.batch(); b++) {
      if (s.length(b) == 0) {
        return "some-empty";
      }
    }
    return "ragged";
  }
}

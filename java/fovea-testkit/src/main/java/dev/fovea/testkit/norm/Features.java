package dev.fovea.testkit.norm;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(NormCase c) {
    NormSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", s.length() >= 1024 ? "1024+" : FeatureValues.size(s.length()));
    f.put("heads", s.heads() == 1 ? "1" : s.heads() < 16 ? "2-15" : "16+");
    f.put("width", width(s.width()));
    f.put("columns", s.width() % 8 == 0 ? "of-8" : s.width() < 8 ? "few" : "odd");
    f.put("centered", c.centered() ? "on" : "off");
    f.put("epsilon", c.epsilon() == 0 ? "0" : c.epsilon() < 1e-8f ? "tiny" : "usual");
    f.put("weight", sharing(c, "weight"));
    f.put("bias", sharing(c, "bias"));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("xLayout", FeatureValues.layout(c.layout("x")));
    if (!c.isBackward()) {
      f.put("outLayout", FeatureValues.layout(c.layout("out")));
      f.put("mean", c.has("mean") ? "on" : "off");
      f.put("inverse", c.has("inverse") ? "on" : "off");
      return f;
    }
    f.put("doutLayout", FeatureValues.layout(c.layout("dout")));
    f.put("dxLayout", FeatureValues.layout(c.layout("dx")));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    f.put("accumulateDx", c.accumulatesDx() ? "on" : "off");
    f.put("dweight", c.has("dweight") ? "on" : "off");
    f.put("dbias", c.has("dbias") ? "on" : "off");
    return f;
  }

  private static String width(int d) {
    return d == 1
        ? "1"
        : d < 8
            ? "2-7"
            : d <= 64 ? "8-64" : d <= 1024 ? "65-1024" : d <= 8192 ? "1025-8192" : "8193+";
  }

  /** Whose it is, if there are heads to have one each. */
  private static String sharing(NormCase c, String operand) {
    if (!c.has(operand)) {
      return "none";
    }
    Layout layout = c.layout(operand);
    return c.sizes().heads() == 1
        ? "one-head"
        : layout.size()[0] == 1 ? "one" : layout.isShared() ? "repeated" : "each";
  }
}

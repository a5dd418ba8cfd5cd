package dev.fovea.testkit.rotary;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(RotaryCase c) {
    RotarySizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", s.length() >= 1024 ? "1024+" : FeatureValues.size(s.length()));
    f.put("heads", s.heads() == 1 ? "1" : s.heads() < 16 ? "2-15" : "16+");
    f.put("headDim", FeatureValues.headDim(s.headDim()));
    f.put("pairs", s.pairs() % 8 == 0 ? "of-8" : s.pairs() % 4 == 0 ? "of-4" : "odd");
    f.put("turned", turned(s));
    f.put("pairing", c.interleaved() ? "interleaved" : "half-split");
    f.put("positions", sharing(c, "positions"));
    f.put("order", c.has("positions") ? c.order().name() : "row");
    f.put("cosines", sharing(c, "cosines"));
    f.put("sines", sharing(c, "sines"));
    f.put("rows", s.positionCount() < s.length() ? "few" : rows(s));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("cosinesLayout", MatrixStyle.name(c.layout("cosines")));
    f.put("sinesLayout", MatrixStyle.name(c.layout("sines")));
    if (!c.isBackward()) {
      f.put("xLayout", FeatureValues.layout(c.layout("x")));
      f.put("outLayout", FeatureValues.layout(c.layout("out")));
      return f;
    }
    f.put("doutLayout", FeatureValues.layout(c.layout("dout")));
    f.put("dxLayout", FeatureValues.layout(c.layout("dx")));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    return f;
  }

  private static String turned(RotarySizes s) {
    int copied = s.headDim() - 2 * s.pairs();
    return copied == 0 ? "all" : copied == 1 ? "but-one" : "part";
  }

  private static String rows(RotarySizes s) {
    return s.positionCount() == s.length() ? "one-each" : "spare";
  }

  /** Whose it is, if there are sequences to have one each. */
  private static String sharing(RotaryCase c, String operand) {
    if (!c.has(operand)) {
      return "none";
    }
    Layout layout = c.layout(operand);
    return c.sizes().batch() <= 1
        ? "one-sequence"
        : layout.size()[0] == 1 ? "one" : layout.isShared() ? "repeated" : "each";
  }
}

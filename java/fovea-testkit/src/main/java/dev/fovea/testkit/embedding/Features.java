package dev.fovea.testkit.embedding;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(EmbeddingCase c) {
    EmbeddingSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", s.length() >= 1024 ? "1024+" : FeatureValues.size(s.length()));
    f.put("vocabulary", s.vocabulary() >= 1024 ? "1024+" : FeatureValues.size(s.vocabulary()));
    f.put("width", s.width() > 1024 ? "1025+" : FeatureValues.headDim(s.width()));
    f.put("scale", c.scale() == null ? "none" : "given");
    f.put("padding", c.padding() < 0 ? "none" : "given");
    f.put("ids", c.ids().name());
    f.put("positions", positions(c));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("idsLayout", rows(c.layout("ids")));
    if (!c.isBackward()) {
      f.put("tableLayout", rows(c.layout("table")));
      f.put("outLayout", MatrixStyle.name(c.layout("out")));
      return f;
    }
    f.put("doutLayout", MatrixStyle.name(c.layout("dout")));
    f.put("dtable", c.has("dtable") ? rows(c.layout("dtable")) : "off");
    f.put("dpositions", c.has("dpositions") ? rows(c.layout("dpositions")) : "off");
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    return f;
  }

  private static String positions(EmbeddingCase c) {
    if (!c.has("positions")) {
      return "none";
    }
    if (!c.has("position_ids")) {
      return "rows";
    }
    Layout layout = c.layout("position_ids");
    return c.sizes().batch() <= 1
        ? "one-sequence"
        : layout.size()[0] == 1 ? "shared" : layout.isShared() ? "repeated" : "each";
  }

  private static String rows(Layout layout) {
    long stride = layout.stride()[0];
    if (stride >= Layout.ABSURD) {
      return "absurd";
    }
    return layout.isShared() ? "broadcast" : stride == layout.size()[1] ? "dense" : "gaps";
  }
}

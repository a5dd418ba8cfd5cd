package dev.fovea.testkit.crossentropy;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(CrossEntropyCase c) {
    CrossEntropySizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", FeatureValues.size(s.length()));
    f.put("classes", classes(s.classes()));
    f.put("packets", s.classes() % 8 == 0 ? "of-8" : s.classes() % 4 == 0 ? "of-4" : "odd");
    f.put("smoothing", c.smoothing() == 0 ? "none" : c.smoothing() == 1 ? "all" : "part");
    f.put("weights", c.has("class_weight") ? "given" : "none");
    f.put("ignored", c.ignored() == 0 ? "none" : c.ignored() == 1 ? "all" : "some");
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("logitsLayout", MatrixStyle.name(c.layout("logits")));
    f.put("targetsLayout", rows(c.layout("targets")));
    f.put("lse", c.has("lse") ? rows(c.layout("lse")) : "off");
    if (!c.isBackward()) {
      f.put("outLayout", rows(c.layout("out")));
      return f;
    }
    f.put("doutLayout", rows(c.layout("dout")));
    f.put("dlogitsLayout", MatrixStyle.name(c.layout("dlogits")));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    return f;
  }

  private static String classes(int classes) {
    return classes > 2048 ? "2049+" : classes >= 256 ? "256-2048" : FeatureValues.size(classes);
  }

  private static String rows(Layout layout) {
    long stride = layout.stride()[0];
    if (stride >= Layout.ABSURD) {
      return "absurd";
    }
    return layout.isShared() ? "broadcast" : stride == layout.size()[1] ? "dense" : "gaps";
  }
}

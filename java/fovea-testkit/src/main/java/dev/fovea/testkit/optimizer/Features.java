package dev.fovea.testkit.optimizer;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(OptimizerCase c) {
    OptimizerSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("rule", c.rule().name());
    f.put("dtype", c.dtype().name());
    f.put("out", !c.has("out") ? "none" : c.outDType().name());
    f.put("batch", s.batch() <= 1 ? String.valueOf(s.batch()) : s.batch() < 16 ? "2-15" : "16+");
    f.put("count", s.count() >= 4096 ? "4096+" : FeatureValues.size(s.count()));
    f.put("packets", s.count() % 8 == 0 ? "of-8" : s.count() % 4 == 0 ? "of-4" : "odd");
    f.put("weightDecay", c.numbers().weightDecay() == 0 ? "off" : "on");
    f.put("epsilon", !c.rule().hasSquare() ? "none" : c.numbers().epsilon() == 0 ? "0" : "on");
    f.put("step", c.step() == 1 ? "first" : c.step() < 1000 ? "early" : "late");
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    for (String name : new String[] {"gradient", "parameter", "mean", "square", "out"}) {
      f.put(name + "Layout", c.has(name) ? layout(c.layout(name)) : "none");
    }
    return f;
  }

  private static String layout(Layout layout) {
    long stride = layout.stride()[0];
    return stride >= Layout.ABSURD
        ? "absurd"
        : layout.isShared() ? "broadcast" : stride == layout.size()[1] ? "dense" : "gaps";
  }
}

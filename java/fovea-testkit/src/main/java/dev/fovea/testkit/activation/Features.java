package dev.fovea.testkit.activation;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(ActivationCase c) {
    ActivationSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("function", c.function().name());
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("length", s.length() >= 1024 ? "1024+" : FeatureValues.size(s.length()));
    f.put("width", width(s.width()));
    f.put("bias", given(c, "bias"));
    f.put("gate", given(c, "gate"));
    f.put("residual", given(c, "residual"));
    f.put("dropout", c.dropout() == 0 ? "off" : c.dropout() < 1e-5 ? "of-nothing" : "on");
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("xLayout", layout(c.layout("x")));
    if (!c.isBackward()) {
      f.put("outLayout", layout(c.layout("out")));
      return f;
    }
    f.put("doutLayout", layout(c.layout("dout")));
    for (String gradient : List.of("dx", "dbias", "dgate", "dresidual")) {
      f.put(gradient, given(c, gradient));
    }
    f.put("alone", alone(c));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    return f;
  }

  private static String width(int d) {
    if (d >= 1000) {
      return "1000+";
    }
    return d % 8 == 0 ? d <= 64 ? "8-64" : "65-999" : d < 8 ? "1-7" : "odd";
  }

  private static String given(ActivationCase c, String operand) {
    return c.has(operand) ? "on" : "off";
  }

  /** The only gradient that is wanted. */
  private static String alone(ActivationCase c) {
    List<String> all = c.layouts().keySet().stream().filter(it -> it.matches("d[xbgr].*")).toList();
    return all.size() == 1 ? all.getFirst() : "none";
  }

  private static String layout(Layout layout) {
    return layout.isShared() ? "broadcast" : MatrixStyle.name(layout);
  }
}

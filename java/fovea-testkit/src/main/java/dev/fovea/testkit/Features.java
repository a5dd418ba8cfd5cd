package dev.fovea.testkit;

import dev.fovea.DType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
public final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  public static Map<String, String> of(CheckedCase c) {
    return switch (c) {
      case AttentionCase forward -> of(forward);
      case BackwardCase backward -> of(backward);
    };
  }

  private static Map<String, String> of(BackwardCase c) {
    Map<String, String> f = of(c.forward());
    AttentionCase forward = c.forward();
    f.remove("lse"); // always on, and weights off
    f.remove("weights");
    f.put("gradients", c.dtype() == forward.options().dtype() ? "same" : c.dtype().name());
    f.put("deterministic", c.deterministic() ? "on" : "off");
    f.put("accumulate", c.accumulate() ? "on" : "off");
    f.put("dbias", asked(forward.options().hasBias(), c.layouts().dbias() != null));
    f.put("dalibi", asked(forward.layouts().alibi() != null, c.layouts().dalibi() != null));
    f.put("dsinks", asked(forward.options().sinks(), c.dsinks()));
    f.put("doutLayout", layout(c.layouts().dout()));
    f.put("dqueryLayout", layout(c.layouts().dquery()));
    f.put("dkeyLayout", layout(c.layouts().dkey()));
    return f;
  }

  private static String asked(boolean there, boolean asked) {
    return asked ? "on" : there ? "not-asked" : "off";
  }

  private static Map<String, String> of(AttentionCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", o.dtype().name());
    f.put("out", o.outDType() == o.dtype() ? "same" : o.outDType().name());
    f.put("mask", !o.causal() ? "full" : o.topLeft() ? "causal-top-left" : "causal");
    f.put("alignment", o.topLeft() ? "top-left" : "bottom-right");
    f.put("window", window(o.windowLeft() >= 0, o.windowRight() >= 0));
    f.put("scale", o.scale() == null ? "default" : o.scale() > 0 ? "given" : "zero-or-negative");
    f.put("softcap", o.softcap() > 0 ? "on" : "off");
    f.put("bias", o.bias().name());
    f.put("biasDType", o.hasBias() ? o.biasDType().name() : "none");
    f.put("alibi", o.alibi().name());
    f.put("sinks", o.sinks() ? "on" : "off");
    f.put("dropout", o.dropout() > 0 ? "on" : "off");
    f.put("lse", o.lse() ? "on" : "off");
    f.put("weights", o.weights() ? "on" : "off");
    f.put("tf32", o.dtype() != DType.FLOAT32 ? "other-dtype" : o.allowTf32() ? "on" : "off");
    f.put("lengths", lengths(g));
    f.put("group", g.group() == 1 ? "1" : g.group() <= 3 ? "2-3" : "4-8");
    f.put("headDim", headDim(g.headDim()));
    f.put("valueDim", g.valueHeadDim() == g.headDim() ? "same" : "other");
    f.put("queries", size(g.queryLength()));
    f.put("keys", size(g.keyLength()));
    f.put("shape", shape(g));
    f.put("queryLayout", layout(c.layouts().query()));
    f.put("keyLayout", layout(c.layouts().key()));
    f.put("outLayout", layout(c.layouts().out()));
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    return f;
  }

  /** Keys that the busiest query sees. */
  public static int keysPerRow(AttentionCase c) {
    int most = 0;
    for (int b = 0; b < c.geometry().batch(); b++) {
      for (int i = 0; i < c.geometry().lenQ(b); i++) {
        most = Math.max(most, c.visibleEnd(b, i) - c.visibleBegin(b, i));
      }
    }
    return most;
  }

  private static String window(boolean left, boolean right) {
    return left ? right ? "both" : "left" : right ? "right" : "none";
  }

  private static String lengths(Geometry g) {
    if (g.packed()) {
      return g.hasKeyLengths() ? "packed-key" : "packed";
    }
    if (g.queryLengths() == null) {
      return g.keyLengths() == null ? "full" : "key";
    }
    return g.keyLengths() == null ? "query" : "both";
  }

  private static String headDim(int d) {
    if (d < 8) {
      return "1-7";
    }
    if (d % 8 != 0) {
      return "odd";
    }
    return d <= 32 ? "8-32" : d <= 64 ? "40-64" : d <= 128 ? "80-128" : "160-512";
  }

  private static String size(int n) {
    if (n == 0) {
      return "0";
    }
    return n == 1 ? "1" : n < 16 ? "2-15" : n < 64 ? "16-63" : n < 256 ? "64-255" : "256+";
  }

  private static String shape(Geometry g) {
    if (g.batch() == 0) {
      return "no-sequence";
    }
    boolean someEmpty = false;
    for (int b = 0; b < g.batch(); b++) {
      someEmpty |= g.lenQ(b) == 0 || g.lenK(b) == 0;
    }
    if (someEmpty) {
      return "some-sequence-empty";
    }
    return g.queryLength() < g.keyLength()
        ? "fewer-queries"
        : g.queryLength() == g.keyLength() ? "square" : "more-queries";
  }

  private static String layout(Layout layout) {
    if (Arrays.stream(layout.stride()).anyMatch(s -> s >= Layout.ABSURD)) {
      return "absurd";
    }
    if (layout.isShared()) {
      return "broadcast";
    }
    long dense = layout.size()[3];
    if (layout.stride()[2] == dense && layout.stride()[1] == dense * layout.size()[2]) {
      return "BSHD";
    }
    if (layout.stride()[1] == dense && layout.stride()[2] == dense * layout.size()[1]) {
      return "BHSD";
    }
    return layout.stride()[2] == dense ? "token-gaps" : "other";
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.Geometry;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
public final class Features {

  private Features() {}

  /** Feature values of a backward case, by feature. */
  static Map<String, String> of(BackwardCase c) {
    Map<String, String> f = of(c.forward());
    AttentionCase forward = c.forward();
    f.remove("queryScales"); // of a forward pass alone
    f.remove("lse"); // always on, and weights off
    f.remove("weights");
    f.remove("top");
    f.put("gradients", c.dtype() == forward.options().dtype() ? "same" : c.dtype().name());
    f.put("deterministic", c.deterministic() ? "on" : "off");
    f.put("accumulate", c.accumulate() ? "on" : "off");
    f.put("dbias", asked(forward.options().hasBias(), c.layouts().dbias() != null));
    boolean positions = !forward.options().positions().equals(Positions.NONE);
    f.put("dpositions", asked(positions, c.layouts().hasPositions()));
    f.put(
        "dmodifier",
        asked(
            forward.options().modifier() != null && forward.options().modifier().learns(),
            c.layouts().dmodifierTable() != null));
    f.put("dtable", asked(forward.layouts().table() != null, c.layouts().dtable() != null));
    f.put("dalibi", asked(forward.layouts().alibi() != null, c.layouts().dalibi() != null));
    f.put("drows", asked(!forward.options().rows().isEmpty(), !c.layouts().drows().isEmpty()));
    f.put("dkeyGates", asked(forward.options().gates().hasKeys(), c.layouts().dkeyGates() != null));
    f.put(
        "doutputGates",
        asked(forward.options().gates().hasOutput(), c.layouts().doutputGates() != null));
    f.remove("ungated");
    f.put("dsinks", asked(forward.options().sinks(), c.dsinks()));
    f.put("doutLayout", FeatureValues.layout(c.layouts().dout()));
    f.put("dqueryLayout", FeatureValues.layout(c.layouts().dquery()));
    f.put("dkeyLayout", FeatureValues.layout(c.layouts().dkey()));
    return f;
  }

  private static String asked(boolean there, boolean asked) {
    return asked ? "on" : there ? "not-asked" : "off";
  }

  private static String blocks(Blocks blocks) {
    if (blocks == null) {
      return "off";
    }
    return blocks.density() == 0 ? "none" : blocks.density() == 1 ? "all" : "some";
  }

  private static String shape(Options o, RowOperand.Kind kind) {
    return o.rows().stream()
        .filter(it -> it.kind() == kind)
        .map(it -> it.shape().name())
        .findFirst()
        .orElse("NONE");
  }

  /** Feature values of a case, by feature. */
  static Map<String, String> of(AttentionCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", o.dtype().name());
    f.put("queryScales", o.queryScales().name());
    f.put("out", o.outDType() == o.dtype() ? "same" : o.outDType().name());
    f.put("mask", FeatureValues.mask(o.visibility()));
    f.put("alignment", o.topLeft() ? "top-left" : "bottom-right");
    f.put("window", FeatureValues.window(o.visibility()));
    f.put("scale", o.scale() == null ? "default" : o.scale() > 0 ? "given" : "zero-or-negative");
    f.put("softcap", o.softcap() > 0 ? "on" : "off");
    f.put("contentBias", o.positions().contentBias() ? "on" : "off");
    f.put("positionBias", o.positions().positionBias() ? "on" : "off");
    f.put("positionKeys", o.positions().keys().name());
    f.put("bias", o.bias().name());
    f.put("biasDType", o.hasBias() ? o.biasDType().name() : "none");
    f.put("maskOperand", o.mask().name());
    f.put("modifier", o.modifier() == null ? "off" : o.modifier().name());
    f.put("relative", o.relative() == null ? "off" : o.relative().reach() < 30 ? "near" : "far");
    f.put("blocks", blocks(o.blocks()));
    f.put("imageWindow", o.imageWindow() == null ? "off" : "on");
    f.put("alibi", o.alibi().name());
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      f.put(kind.operand(), shape(o, kind));
    }
    f.put("keyGates", o.gates().keys().name());
    f.put("outputGates", o.gates().output().name());
    f.put("ungated", asked(o.gates().hasOutput(), o.gates().ungated()));
    f.put("sinks", o.sinks() ? "on" : "off");
    f.put("dropout", o.dropout() > 0 ? "on" : "off");
    f.put("lse", o.lse() ? "on" : "off");
    f.put("weights", o.weights() ? "on" : "off");
    f.put("top", o.top() > 0 ? "on" : "off");
    f.put("tf32", o.dtype() != DType.FLOAT32 ? "other-dtype" : o.allowTf32() ? "on" : "off");
    f.put("lengths", FeatureValues.lengths(g));
    f.put("group", FeatureValues.group(g));
    f.put("headDim", FeatureValues.headDim(g.headDim()));
    f.put("valueDim", g.valueHeadDim() == g.headDim() ? "same" : "other");
    f.put("queries", FeatureValues.size(g.queryLength()));
    f.put("keys", FeatureValues.size(g.keyLength()));
    f.put("shape", FeatureValues.shape(g));
    f.put("queryLayout", FeatureValues.layout(c.layouts().query()));
    f.put("keyLayout", FeatureValues.layout(c.layouts().key()));
    f.put("outLayout", FeatureValues.layout(c.layouts().out()));
    Cache.features(c.cache(), f);
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    return f;
  }
}

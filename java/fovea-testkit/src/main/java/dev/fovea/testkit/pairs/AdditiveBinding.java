package dev.fovea.testkit.pairs;

import dev.fovea.AdditiveAttention;
import dev.fovea.AdditiveCall;
import dev.fovea.Attention.Alignment;
import dev.fovea.testkit.OperationRun;
import dev.fovea.testkit.Visibility;

/** A case as the public API has it. */
final class AdditiveBinding {

  private AdditiveBinding() {}

  static OperationRun.Bound bind(PairCase c, OperationRun run) {
    AdditiveCall call =
        attention(c.options())
            .call(run.input("query"), run.input("key"), run.input("value"), run.input("weight"))
            .bias(run.input("bias"));
    if (c.options().dropout() > 0) {
      call.dropoutSeed(c.seed(), c.offset());
    }
    if (!c.isBackward()) {
      call.out(run.output("out"))
          .lse(run.output("lse"))
          .weights(run.output("weights"))
          .topWeights(run.output("top_weights"), run.output("top_keys"));
      return new OperationRun.Bound(call, null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout"), run.input("out"), run.input("lse"))
            .dquery(run.output("dquery"))
            .dkey(run.output("dkey"))
            .dvalue(run.output("dvalue"))
            .dweight(run.output("dweight"))
            .dbias(run.output("dbias")));
  }

  private static AdditiveAttention attention(Options o) {
    Visibility v = o.visibility();
    AdditiveAttention.Builder builder = AdditiveAttention.builder();
    builder.outDType(o.outDType()).dropout(o.dropout()).window(v.windowLeft(), v.windowRight());
    builder.alignment(v.topLeft() ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT);
    return (v.causal() ? builder.causal() : builder).build();
  }
}

package dev.fovea.testkit.pairs;

import dev.fovea.Attention.Alignment;
import dev.fovea.DistanceAttention;
import dev.fovea.DistanceCall;
import dev.fovea.testkit.OperationRun;
import dev.fovea.testkit.Visibility;

/** A case as the public API has it. */
final class DistanceBinding {

  private DistanceBinding() {}

  static OperationRun.Bound bind(PairCase c, OperationRun run) {
    DistanceCall call =
        attention(c.options())
            .call(run.input("query"), run.input("key"), run.input("value"), run.input("bandwidth"));
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
            .dbandwidth(run.output("dbandwidth")));
  }

  private static DistanceAttention attention(Options o) {
    Visibility v = o.visibility();
    DistanceAttention.Builder builder = DistanceAttention.builder();
    builder.outDType(o.outDType()).dropout(o.dropout()).window(v.windowLeft(), v.windowRight());
    if (o.ridge() != null) {
      builder.localLinear(o.ridge());
    }
    builder.alignment(v.topLeft() ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT);
    return (v.causal() ? builder.causal() : builder).build();
  }
}

package dev.fovea.testkit.linear;

import dev.fovea.LinearAttention;
import dev.fovea.LinearCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class LinearBinding {

  private LinearBinding() {}

  static OperationRun.Bound bind(LinearCase c, OperationRun run) {
    LinearCall call =
        attention(c.options())
            .call(run.input("query"), run.input("key"), run.input("value"))
            .decay(run.input("decay"))
            .keyDecay(run.input("key_decay"))
            .beta(run.input("beta"))
            .initialState(run.input("initial_state"))
            .initialSum(run.input("initial_sum"));
    if (!c.isBackward()) {
      call.out(run.output("out"));
      call.finalState(run.output("final_state")).finalSum(run.output("final_sum"));
      return new OperationRun.Bound(call, null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout"), run.input("out"))
            .dquery(run.output("dquery"))
            .dkey(run.output("dkey"))
            .dvalue(run.output("dvalue"))
            .ddecay(run.output("ddecay"))
            .dkeyDecay(run.output("dkey_decay"))
            .dbeta(run.output("dbeta"))
            .dinitialState(run.output("dinitial_state"))
            .dinitialSum(run.output("dinitial_sum")));
  }

  private static LinearAttention attention(Options o) {
    LinearAttention.Builder builder =
        LinearAttention.builder()
            .causal(o.causal())
            .normalised(o.normalised())
            .featureMap(o.featureMap())
            .outDType(o.outDType());
    return (o.scale() == null ? builder : builder.scale(o.scale())).build();
  }
}

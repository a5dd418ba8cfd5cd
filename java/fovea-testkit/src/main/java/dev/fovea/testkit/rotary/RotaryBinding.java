package dev.fovea.testkit.rotary;

import dev.fovea.RotaryCall;
import dev.fovea.RotaryEmbedding;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class RotaryBinding {

  private RotaryBinding() {}

  static OperationRun.Bound bind(RotaryCase c, OperationRun run) {
    RotaryEmbedding embedding =
        c.interleaved() ? RotaryEmbedding.interleaved() : RotaryEmbedding.halfSplit();
    RotaryCall call =
        embedding
            .outDType(c.outDType())
            .call(run.input("x"), run.input("cosines"), run.input("sines"))
            .positions(run.input("positions"));
    return c.isBackward()
        ? new OperationRun.Bound(call, call.gradients(run.input("dout")).dx(run.output("dx")))
        : new OperationRun.Bound(call.out(run.output("out")), null);
  }
}

package dev.fovea.testkit.activation;

import dev.fovea.Activation;
import dev.fovea.ActivationCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class ActivationBinding {

  private ActivationBinding() {}

  static OperationRun.Bound bind(ActivationCase c, OperationRun run) {
    ActivationCall call =
        Activation.of(c.function())
            .dropout(c.dropout())
            .outDType(c.outDType())
            .call(run.input("x"))
            .bias(run.input("bias"))
            .gate(run.input("gate"))
            .residual(run.input("residual"));
    if (c.dropout() > 0) {
      call.dropoutSeed(c.seed(), c.offset());
    }
    if (!c.isBackward()) {
      return new OperationRun.Bound(call.out(run.output("out")), null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout"))
            .dx(run.output("dx"))
            .dbias(run.output("dbias"))
            .dgate(run.output("dgate"))
            .dresidual(run.output("dresidual")));
  }
}

package dev.fovea.testkit.norm;

import dev.fovea.Normalization;
import dev.fovea.NormalizationCall;
import dev.fovea.testkit.OperationRun;

/** A case as the public API has it. */
final class NormBinding {

  private NormBinding() {}

  static OperationRun.Bound bind(NormCase c, OperationRun run) {
    Normalization normalization =
        c.centered() ? Normalization.layer(c.epsilon()) : Normalization.rms(c.epsilon());
    NormalizationCall call =
        normalization
            .outDType(c.outDType())
            .call(run.input("x"))
            .weight(run.input("weight"))
            .bias(run.input("bias"));
    if (!c.isBackward()) {
      call.out(run.output("out")).mean(run.output("mean")).inverse(run.output("inverse"));
      return new OperationRun.Bound(call, null);
    }
    return new OperationRun.Bound(
        call,
        call.gradients(run.input("dout"))
            .dx(run.output("dx"))
            .dweight(run.output("dweight"))
            .dbias(run.output("dbias"))
            .accumulateDx(c.accumulatesDx()));
  }
}

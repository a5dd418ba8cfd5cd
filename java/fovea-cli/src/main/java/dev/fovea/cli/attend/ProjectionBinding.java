package dev.fovea.cli.attend;

import dev.fovea.ProjectionBackward;
import dev.fovea.ProjectionCall;
import dev.fovea.SequenceProjection;

/** {@link SequenceProjection}. */
final class ProjectionBinding implements CallBinding {

  private ProjectionCall call;

  @Override
  public ProjectionCall call(Operands operands) {
    call =
        SequenceProjection.create()
            .call(operands.get("x"), operands.get("weight"))
            .lengths(operands.get("lengths"));
    return call;
  }

  @Override
  public ProjectionBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dx(operands.get("dx"))
        .dweight(operands.get("dweight"));
  }
}

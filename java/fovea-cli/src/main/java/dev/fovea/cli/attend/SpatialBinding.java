package dev.fovea.cli.attend;

import dev.fovea.SpatialAttention;
import dev.fovea.SpatialBackward;
import dev.fovea.SpatialCall;

/** {@link SpatialAttention}. */
final class SpatialBinding implements CallBinding {

  private SpatialCall call;

  @Override
  public SpatialCall call(Operands operands) {
    call =
        SpatialAttention.create()
            .call(operands.get("x"), operands.get("weight"))
            .bias(operands.get("bias"));
    return call;
  }

  @Override
  public SpatialBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dx(operands.get("dx"))
        .dweight(operands.get("dweight"))
        .dbias(operands.get("dbias"));
  }
}

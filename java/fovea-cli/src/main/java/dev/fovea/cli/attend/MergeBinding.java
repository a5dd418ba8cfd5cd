package dev.fovea.cli.attend;

import dev.fovea.Merge;
import dev.fovea.MergeCall;
import dev.fovea.OperationBackward;

/** {@link Merge}. */
final class MergeBinding implements CallBinding {

  @Override
  public MergeCall call(Operands operands) {
    return Merge.create()
        .call(operands.get("outs"), operands.get("lses"))
        .sinks(operands.get("sinks"))
        .lse(operands.get("lse"));
  }

  @Override
  public OperationBackward<?> gradients(Operands operands) {
    throw new UnsupportedOperationException("merge has no backward pass");
  }
}

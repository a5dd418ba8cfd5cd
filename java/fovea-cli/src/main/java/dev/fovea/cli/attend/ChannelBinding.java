package dev.fovea.cli.attend;

import dev.fovea.ChannelAttention;
import dev.fovea.ChannelBackward;
import dev.fovea.ChannelCall;

/** {@link ChannelAttention}. */
final class ChannelBinding implements CallBinding {

  private ChannelCall call;

  @Override
  public ChannelCall call(Operands operands) {
    call =
        ChannelAttention.create()
            .call(operands.get("x"), operands.get("weight1"), operands.get("weight2"))
            .bias1(operands.get("bias1"))
            .bias2(operands.get("bias2"));
    return call;
  }

  @Override
  public ChannelBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dx(operands.get("dx"))
        .dweight1(operands.get("dweight1"))
        .dbias1(operands.get("dbias1"))
        .dweight2(operands.get("dweight2"))
        .dbias2(operands.get("dbias2"));
  }
}

package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link ChannelAttention}: {@link ChannelAttention#call} takes x and both
 * weights, this what else it reads. Where the result goes is [N, C, H, W], with any strides.
 */
public final class ChannelCall extends OperationCall<ChannelCall> {
  ChannelCall(
      ChannelAttention attention, Tensor x, Tensor weight1, Tensor weight2, RunMemory memory) {
    super(
        attention.options(),
        new Bindings(attention.options().operation())
            .set("x", Objects.requireNonNull(x, "x"))
            .set("weight1", Objects.requireNonNull(weight1, "weight1"))
            .set("weight2", Objects.requireNonNull(weight2, "weight2")),
        memory);
  }

  /** Added to the products of weight1: [R] {@link DType#FLOAT32}. Null for none. */
  public ChannelCall bias1(Tensor bias1) {
    return bind("bias1", bias1);
  }

  /** Added to the products of weight2: [C] {@link DType#FLOAT32}. Null for none. */
  public ChannelCall bias2(Tensor bias2) {
    return bind("bias2", bias2);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: [N, C, H, W] of its element type, with any strides
   */
  public ChannelBackward gradients(Tensor dout) {
    return new ChannelBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    return operands().get("x").shape();
  }
}

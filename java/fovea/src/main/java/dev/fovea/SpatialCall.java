package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link SpatialAttention}: {@link SpatialAttention#call} takes x and weight,
 * this what else it reads. Where the result goes is [N, C, H, W], with any strides.
 */
public final class SpatialCall extends OperationCall<SpatialCall> {
  SpatialCall(SpatialAttention attention, Tensor x, Tensor weight, RunMemory memory) {
    super(
        attention.options(),
        new Bindings(attention.options().operation())
            .set("x", Objects.requireNonNull(x, "x"))
            .set("weight", Objects.requireNonNull(weight, "weight")),
        memory);
  }

  /** Added to the convolution: [1] {@link DType#FLOAT32}. Null for none. */
  public SpatialCall bias(Tensor bias) {
    return bind("bias", bias);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: [N, C, H, W] of its element type, with any strides
   */
  public SpatialBackward gradients(Tensor dout) {
    return new SpatialBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    return operands().get("x").shape();
  }
}

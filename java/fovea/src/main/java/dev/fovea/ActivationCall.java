package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to an {@link Activation}: {@link Activation#call} takes x, this what else it
 * reads. Where the result goes has the shape of x.
 */
public final class ActivationCall extends OperationCall<ActivationCall> {
  ActivationCall(Activation activation, Tensor x, RunMemory memory) {
    super(
        activation.options(),
        new Bindings(activation.options().operation()).set("x", Objects.requireNonNull(x, "x")),
        memory);
  }

  /** Added to x before the function: [D] {@link DType#FLOAT32}. Null for none. */
  public ActivationCall bias(Tensor bias) {
    return bind("bias", bias);
  }

  /**
   * Multiplies the function's value: shape and element type of x, with a contiguous last dimension.
   * Null for none. Both may be halves of one tensor, such as the two that a projection gives of
   * each row: {@code both.slice(2, 0, d)} and {@code both.slice(2, d, 2 * d)}.
   */
  public ActivationCall gate(Tensor gate) {
    return bind("gate", gate);
  }

  /**
   * Added last, behind dropout: shape and element type of x, with a contiguous last dimension. Null
   * for none.
   */
  public ActivationCall residual(Tensor residual) {
    return bind("residual", residual);
  }

  /**
   * What dropout draws from: seed and offset together name the random numbers of a run
   * (Philox4x32-10, Salmon et al., 2011). Give every step of training, and every layer of it, its
   * own pair: runs with the same one drop the same elements. Where there is dropout, nothing runs
   * before it is set.
   */
  public ActivationCall dropoutSeed(long seed, int offset) {
    return seed(seed, offset);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run: it then drops what this call would.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public ActivationBackward gradients(Tensor dout) {
    return new ActivationBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    return operands().get("x").rawShape();
  }
}

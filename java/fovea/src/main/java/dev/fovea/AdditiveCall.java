package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to an {@link AdditiveAttention}: {@link AdditiveAttention#call} takes query, key,
 * value and weight, this what else it reads.
 */
public final class AdditiveCall extends SoftmaxCall<AdditiveCall> {
  AdditiveCall(
      AdditiveAttention attention,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor weight,
      RunMemory memory) {
    super(attention.options(), query, key, value, memory);
    operands().set("weight", Objects.requireNonNull(weight, "weight"));
  }

  /** Added to query and key before the tanh: [Hq, A] {@link DType#FLOAT32}. Null for none. */
  public AdditiveCall bias(Tensor bias) {
    return bind("bias", bias);
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  @Override
  public AdditiveBackward gradients(Tensor dout) {
    return new AdditiveBackward(this, dout, null, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here, as
   * {@link AttentionCall#gradients(Tensor, Tensor, Tensor)} is.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param out what that forward wrote there
   * @param lse what that forward wrote there
   */
  public AdditiveBackward gradients(Tensor dout, Tensor out, Tensor lse) {
    return new AdditiveBackward(
        this,
        dout,
        Objects.requireNonNull(out, "out"),
        Objects.requireNonNull(lse, "lse"),
        new RunMemory());
  }
}

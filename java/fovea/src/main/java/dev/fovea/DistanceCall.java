package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link DistanceAttention}: {@link DistanceAttention#call} takes query, key,
 * value and bandwidth, this what else it reads.
 */
public final class DistanceCall extends SoftmaxCall<DistanceCall> {
  DistanceCall(
      DistanceAttention attention,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor bandwidth,
      RunMemory memory) {
    super(attention.options(), query, key, value, memory);
    operands().set("bandwidth", Objects.requireNonNull(bandwidth, "bandwidth"));
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  @Override
  public DistanceBackward gradients(Tensor dout) {
    return new DistanceBackward(this, dout, null, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here, as
   * {@link AttentionCall#gradients(Tensor, Tensor, Tensor)} is.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param out what that forward wrote there
   * @param lse what that forward wrote there
   */
  public DistanceBackward gradients(Tensor dout, Tensor out, Tensor lse) {
    return new DistanceBackward(
        this,
        dout,
        Objects.requireNonNull(out, "out"),
        Objects.requireNonNull(lse, "lse"),
        new RunMemory());
  }
}

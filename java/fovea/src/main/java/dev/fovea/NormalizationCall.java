package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link Normalization}: {@link Normalization#call} takes x, this what else it
 * reads and writes. Where the result goes has the shape of x.
 */
public final class NormalizationCall extends OperationCall<NormalizationCall> {
  NormalizationCall(Normalization normalization, Tensor x, RunMemory memory) {
    super(
        normalization.options(),
        new Bindings(normalization.options().operation()).set("x", Objects.requireNonNull(x, "x")),
        memory);
  }

  /**
   * What rows are multiplied by, elementwise: [H or 1, D] or [D], {@link DType#FLOAT32}. Null for
   * 1.
   */
  public NormalizationCall weight(Tensor weight) {
    return bind("weight", rows(weight));
  }

  /** What is added to rows behind that: [H or 1, D] or [D], {@link DType#FLOAT32}. Null for 0. */
  public NormalizationCall bias(Tensor bias) {
    return bind("bias", rows(bias));
  }

  /**
   * Where the mean of each row goes, [B, S, H] {@link DType#FLOAT32} with a contiguous last
   * dimension, if it is wanted. A run of {@link Normalization#rms}, which has none, refuses it.
   */
  public NormalizationCall mean(Tensor mean) {
    return bindUnseen("mean", mean);
  }

  /**
   * Where 1 / sqrt(variance + epsilon) of each row goes, or of its mean of squares, [B, S, H]
   * {@link DType#FLOAT32} with a contiguous last dimension, if it is wanted.
   */
  public NormalizationCall inverse(Tensor inverse) {
    return bindUnseen("inverse", inverse);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public NormalizationBackward gradients(Tensor dout) {
    return new NormalizationBackward(this, dout, new RunMemory());
  }

  /** [D] as [1, D], which all heads share. */
  static Tensor rows(Tensor tensor) {
    return tensor != null && tensor.rank() == 1 ? tensor.unsqueeze(0) : tensor;
  }

  @Override
  long[] outShape() {
    return operands().get("x").rawShape();
  }
}

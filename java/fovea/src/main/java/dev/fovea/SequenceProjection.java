package dev.fovea;

import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeProjection;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Projection of sequences to a fixed length, as {@link LowRankAttention} projects keys and values:
 * what to compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With x [B, S, H, D] and weight [H, R, S], or [1, R, S] or [R, S] for all heads, for each
 * sequence:
 *
 * <pre>
 *   out_rhd = sum_j weight_hrj x_jhd, over the positions j below its length
 * </pre>
 *
 * <p>A shorter sequence has the first columns of weight, and one of length 0 gives 0. weight has
 * the type of x, since both are factors of one product; that of a parameter in float32 is rounded
 * to it, as layers with 16-bit activations do. Sums are float32. The same inputs give the same bits
 * for any batch size and any number of threads.
 *
 * <p>Source: Wang et al., Linformer: Self-attention with linear complexity, 2020, arXiv 2006.04768,
 * section 4.
 */
public final class SequenceProjection {
  /** The fields of a {@link SequenceProjection}; a record for its equals and hashCode. */
  record Options(DType outDType) implements OperationSpec { // null: that of x
    @Override
    public NativeOperation operation() {
      return NativeProjection.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
    }

    @Override
    public String toString() {
      return "SequenceProjection[" + (outDType == null ? "" : "out=" + outDType) + "]";
    }
  }

  private final Options options;

  private SequenceProjection(Options options) {
    this.options = options;
  }

  /** Out in the type of x. */
  public static SequenceProjection create() {
    return new SequenceProjection(new Options(null));
  }

  /** The same with out in that floating type. */
  public SequenceProjection outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new SequenceProjection(new Options(dtype));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: x [B, S, H, D],
   * weight [H or 1, R, S] or [R, S] of the type of x. Nothing is checked before the call is planned
   * or run.
   */
  public ProjectionCall call(Tensor x, Tensor weight) {
    return new ProjectionCall(this, x, weight, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [B, R, H, D] of {@code scope}.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x, Tensor weight) {
    return scope.withMemory(memory -> new ProjectionCall(this, x, weight, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SequenceProjection that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(SequenceProjection.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

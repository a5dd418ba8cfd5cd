package dev.fovea;

import dev.fovea.ffi.FoveaRotarySpec;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeRotary;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Rotary position embedding of queries or keys: what to compute, and nothing about shapes.
 * Immutable and thread-safe.
 *
 * <p>With x [B, S, H, D], tables [P, C] and t the position of a row, the first 2 C elements of each
 * row are C pairs that are turned:
 *
 * <pre>
 *   out_a = cosines_tc x_a - sines_tc x_b
 *   out_b = cosines_tc x_b + sines_tc x_a
 * </pre>
 *
 * <p>The other elements are copied. The pairs are elements c and c + C ({@link #halfSplit}, as in
 * GPT-NeoX and Llama) or 2c and 2c + 1 ({@link #interleaved}, as in RoFormer and GPT-J). Arithmetic
 * is float32. {@link RotaryTables} makes tables; whatever base or scaling a model has is in them.
 *
 * <p>Source: Su et al., RoFormer: Enhanced transformer with rotary position embedding, 2021, arXiv
 * 2104.09864, section 3.4.
 */
public final class RotaryEmbedding {
  /** The fields of a {@link RotaryEmbedding}; a record for its equals and hashCode. */
  record Options(boolean interleaved, DType outDType) implements OperationSpec { // null: that of x
    @Override
    public NativeOperation operation() {
      return NativeRotary.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
      FoveaRotarySpec.INTERLEAVED.set(spec, interleaved ? 1 : 0);
    }

    @Override
    public String toString() {
      return "RotaryEmbedding[%s%s]"
          .formatted(
              interleaved ? "interleaved" : "half-split",
              outDType == null ? "" : ", out=" + outDType);
    }
  }

  private final Options options;

  private RotaryEmbedding(Options options) {
    this.options = options;
  }

  /** Pairs of elements c and c + C. Out in the type of x. */
  public static RotaryEmbedding halfSplit() {
    return new RotaryEmbedding(new Options(false, null));
  }

  /** Pairs of elements 2c and 2c + 1. Out in the type of x. */
  public static RotaryEmbedding interleaved() {
    return new RotaryEmbedding(new Options(true, null));
  }

  /** The same with out in that floating type. */
  public RotaryEmbedding outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new RotaryEmbedding(new Options(options.interleaved, dtype));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: x [B, S, H, D],
   * cosines and sines [P, C], or [B or 1, P, C], {@link DType#FLOAT32} with 2 C at most D. Row s of
   * a sequence is at position s unless {@link RotaryCall#positions} says otherwise. Packed
   * sequences are one with its positions: {@code x.unsqueeze(0)}. Nothing is checked before the
   * call is planned or run.
   */
  public RotaryCall call(Tensor x, Tensor cosines, Tensor sines) {
    return new RotaryCall(this, x, cosines, sines, new RunMemory());
  }

  /** The same with tables that {@link RotaryTables} made. */
  public RotaryCall call(Tensor x, RotaryTables tables) {
    return call(x, tables.cosines(), tables.sines());
  }

  /**
   * Computes into a new dense tensor of {@code scope}, with row s of a sequence at position s.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x, RotaryTables tables) {
    return scope.withMemory(
        memory -> new RotaryCall(this, x, tables.cosines(), tables.sines(), memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RotaryEmbedding that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(RotaryEmbedding.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

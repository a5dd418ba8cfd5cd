package dev.fovea;

import dev.fovea.ffi.FoveaNormSpec;
import dev.fovea.ffi.NativeNorm;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Normalization of rows, by their mean and variance ({@link #layer}) or by their root mean square
 * alone ({@link #rms}): what to compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With x [B, S, H, D] and, if given to the call, weight and bias [H or 1, D], for each row of D
 * elements:
 *
 * <pre>
 *   mu    = sum_d x_d / D                    0 of rms
 *   r     = 1 / sqrt(sum_d (x_d - mu)^2 / D + epsilon)
 *   out_d = (x_d - mu) r weight_d + bias_d
 * </pre>
 *
 * <p>H is 1 where whole positions are normalized, as in layers; more heads are rows of their own,
 * such as the queries or keys of an attention, between others in [B, S, 3, H, D]. Rows [N, D] are
 * {@code x.reshape(1, N, 1, D)}, and what is normalized over several dimensions is a row once these
 * are one.
 *
 * <p>Arithmetic is float32, squares are about the mean itself: a row far from 0 keeps its digits.
 * NaN and infinities go the way that IEEE 754 sends them and reach no other row; so do rows whose
 * squares are beyond float32. With an epsilon of 0 a row of equal elements, 0 times an infinity, is
 * NaN. The same inputs give the same bits for any batch size and any number of threads.
 *
 * <p>Sources: Ba, Kiros and Hinton, Layer normalization, 2016, arXiv 1607.06450; Zhang and
 * Sennrich, Root mean square layer normalization, 2019, arXiv 1910.07467.
 */
public final class Normalization {
  /** The fields of a {@link Normalization}; a record for its equals and hashCode. */
  record Options(boolean centered, float epsilon, DType outDType) // null: that of x
      implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeNorm.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
      FoveaNormSpec.CENTERED.set(spec, centered ? 1 : 0);
      FoveaNormSpec.EPSILON.set(spec, epsilon);
    }

    @Override
    public String toString() {
      return "Normalization[%s, epsilon=%s%s]"
          .formatted(
              centered ? "layer" : "rms", epsilon, outDType == null ? "" : ", out=" + outDType);
    }
  }

  private final Options options;

  private Normalization(Options options) {
    this.options = options;
  }

  /**
   * Layer normalization: by mean and variance. Out in the type of x.
   *
   * @param epsilon added to the variance, 0 or more; 1e-5 in most models
   * @throws IllegalArgumentException if it is negative, or no finite float
   */
  public static Normalization layer(double epsilon) {
    return new Normalization(new Options(true, checked(epsilon), null));
  }

  /**
   * By the root mean square, without a mean. Out in the type of x.
   *
   * @param epsilon added to the mean of squares, 0 or more; 1e-6 in most models
   * @throws IllegalArgumentException if it is negative, or no finite float
   */
  public static Normalization rms(double epsilon) {
    return new Normalization(new Options(false, checked(epsilon), null));
  }

  private static float checked(double epsilon) {
    if (!(epsilon >= 0) || !Float.isFinite((float) epsilon)) {
      throw new IllegalArgumentException(
          "epsilon is " + epsilon + ", expected a finite float of 0 or more");
    }
    return (float) epsilon;
  }

  /** The same with out in that floating type. */
  public Normalization outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new Normalization(new Options(options.centered, options.epsilon, dtype));
  }

  /**
   * Binds x [B, S, H, D], in any stride order but with a contiguous last dimension, D at most
   * 65536. The call takes weight and bias. Nothing is checked before it is planned or run.
   */
  public NormalizationCall call(Tensor x) {
    return new NormalizationCall(this, x, new RunMemory());
  }

  /**
   * Computes into a new dense tensor of {@code scope}.
   *
   * @param weight [H or 1, D] or [D], {@link DType#FLOAT32}; null for none
   * @param bias likewise
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x, Tensor weight, Tensor bias) {
    return scope.withMemory(
        memory -> new NormalizationCall(this, x, memory).weight(weight).bias(bias).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Normalization that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(Normalization.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

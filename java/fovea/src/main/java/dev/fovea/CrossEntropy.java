package dev.fovea;

import dev.fovea.ffi.FoveaCrossEntropySpec;
import dev.fovea.ffi.NativeCrossEntropy;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Cross-entropy of logits and the indices of classes, as classifiers and language models are
 * trained with: what to compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With logits x [B, S, V], targets [B, S] and class weights w [V], 1 where there are none, for
 * each row with its target y, and e for the label smoothing:
 *
 * <pre>
 *   lse = ln(sum_v exp(x_v))
 *   out = (1 - e) w_y (lse - x_y) + e / V sum_v w_v (lse - x_v)
 * </pre>
 *
 * <p>A term whose factor is 0 is 0, whatever x is. out and lse are float32, whatever the logits
 * are. There is no reduction: a mean is in the gradient of out that the backward pass is given,
 * such as 1 / rows. A row with a negative target is ignored: nothing of it is read, its out and lse
 * are 0, and so is its gradient. Logits may be -infinity, which is a probability of 0; out is
 * +infinity where that is the target's.
 *
 * <p>The logits are read once, and nothing of their size is kept for the backward pass. The same
 * inputs give the same bits for any number of threads.
 *
 * <p>Source: Szegedy et al., Rethinking the Inception architecture for computer vision, 2016, arXiv
 * 1512.00567, section 7, for label smoothing; Milakov and Gimelshein, Online normalizer calculation
 * for softmax, 2018, arXiv 1805.02867.
 */
public final class CrossEntropy {
  /** The fields of a {@link CrossEntropy}; a record for its equals and hashCode. */
  record Options(float labelSmoothing) implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeCrossEntropy.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      FoveaCrossEntropySpec.LABEL_SMOOTHING.set(spec, labelSmoothing);
    }

    @Override
    public DType outDType() {
      return null;
    }

    @Override
    public String toString() {
      return "CrossEntropy[" + (labelSmoothing == 0 ? "" : "smoothing=" + labelSmoothing) + "]";
    }
  }

  private final Options options;

  private CrossEntropy(Options options) {
    this.options = options;
  }

  /** Without label smoothing. */
  public static CrossEntropy create() {
    return new CrossEntropy(new Options(0));
  }

  /** The same with that share of each target, 0 to 1, spread over all classes alike. */
  public CrossEntropy labelSmoothing(double share) {
    if (!(share >= 0 && share <= 1)) {
      throw new IllegalArgumentException("labelSmoothing is " + share + ", expected 0 to 1");
    }
    return new CrossEntropy(new Options((float) share));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: logits [B, S, V],
   * targets [B, S] {@link DType#INT32}. The CPU refuses a target of V or more before it writes
   * anything; a device that cannot say so gives NaN for its row. Nothing else is checked before the
   * call is planned or run.
   */
  public CrossEntropyCall call(Tensor logits, Tensor targets) {
    return new CrossEntropyCall(this, logits, targets, new RunMemory());
  }

  /**
   * Computes the loss of each row into a new dense tensor [B, S] of {@code scope}, {@link
   * DType#FLOAT32}.
   *
   * @throws IllegalArgumentException if operands do not fit together, or a target is no class
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor logits, Tensor targets) {
    return scope.withMemory(
        memory -> new CrossEntropyCall(this, logits, targets, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CrossEntropy that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(CrossEntropy.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

package dev.fovea;

import dev.fovea.Attention.Alignment;
import java.util.Objects;

/**
 * Builds an operation over queries and keys: what all of them may be told. Not thread-safe.
 *
 * @param <B> the builder of an operation
 */
public abstract sealed class MaskBuilder<B extends MaskBuilder<B>>
    permits Attention.Builder, AdditiveAttention.Builder, DistanceAttention.Builder {
  private boolean causal;
  private Alignment alignment;
  private long windowLeft;
  private long windowRight;
  private float dropout;
  private DType outDType;

  MaskBuilder(MaskOptions from) {
    causal = from.causal();
    alignment = from.alignment();
    windowLeft = from.windowLeft();
    windowRight = from.windowRight();
    dropout = from.dropout();
    outDType = from.outDType();
  }

  @SuppressWarnings("unchecked") // B is the class of this
  private B self() {
    return (B) this;
  }

  MaskOptions maskOptions() {
    return new MaskOptions(causal, alignment, windowLeft, windowRight, dropout, outDType);
  }

  /** A query sees the keys up to its own position. */
  public B causal() {
    causal = true;
    return self();
  }

  /** {@link #causal()} and {@link #alignment(Alignment)} in one. */
  public B causal(Alignment alignment) {
    return causal().alignment(alignment);
  }

  /** What positions mean to masks and to ALiBi where query and key lengths differ. */
  public B alignment(Alignment alignment) {
    this.alignment = Objects.requireNonNull(alignment, "alignment");
    return self();
  }

  /**
   * A query at position p sees the keys p - left to p + right; {@link Attention#UNBOUNDED} lifts
   * the bound of a side.
   */
  public B window(long left, long right) {
    windowLeft = side("left", left);
    windowRight = side("right", right);
    return self();
  }

  private static long side(String name, long size) {
    if (size < 0 && size != Attention.UNBOUNDED) {
      throw new IllegalArgumentException(
          name + " is " + size + ", expected zero, a positive number, or UNBOUNDED");
    }
    return size;
  }

  /**
   * The probability with which a weight is dropped, at least 0 and below 1; weights that stay are
   * scaled up. It acts in steps of 1/65536. For training, where every step has a seed of its own
   * ({@link SoftmaxCall#dropoutSeed}); {@link Attention#eval} is the same attention without.
   */
  public B dropout(double probability) {
    this.dropout = Check.dropout(probability);
    return self();
  }

  /** The element type of out, instead of the query's. */
  public B outDType(DType dtype) {
    Check.floating("outDType", dtype);
    this.outDType = dtype;
    return self();
  }
}

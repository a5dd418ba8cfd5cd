package dev.fovea;

import dev.fovea.ffi.NativeAdditive;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Additive attention, or that of Bahdanau: what to compute, and nothing about shapes. Immutable and
 * thread-safe.
 *
 * <p>With query [B, Sq, Hq, A] and key [B, Sk, Hk, A], both projected already, value [B, Sk, Hk,
 * Dv], weight and, if given to the call, bias [Hq, A], where query head h reads key/value head h /
 * (Hq / Hk), for query i and key j:
 *
 * <pre>
 *   t_ija = tanh(query_ia + key_ja + bias_a)
 *   x_ij  = sum_a weight_a t_ija
 *   x_ij  = -infinity                                 where masked
 *   lse_i = ln(sum_j exp(x_ij))
 *   out_i = sum_j dropout(exp(x_ij - lse_i)) value_j
 * </pre>
 *
 * <p>Positions, masks and queries that see no key are as in {@link Attention}. With one query and
 * one head this is attention pooling. Neither scores nor anything of Sq x Sk x A is ever in memory.
 * Sums are float32 or better. The same inputs give the same bits for any batch size and any number
 * of threads.
 *
 * <p>Source: Bahdanau et al., 2014, arXiv 1409.0473.
 */
public final class AdditiveAttention {
  /** The fields of an {@link AdditiveAttention}; a record for its equals and hashCode. */
  record Options(MaskOptions masks) implements MaskedSpec {
    static final Options DEFAULT = new Options(MaskOptions.DEFAULT);

    @Override
    public NativeOperation operation() {
      return NativeAdditive.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      masks.fill(operation(), spec);
    }

    @Override
    public String toString() {
      return masks.describe("AdditiveAttention", "");
    }
  }

  private final Options options;
  private final AdditiveAttention eval; // this, where there is no dropout

  private AdditiveAttention(Options options) {
    this.options = options;
    this.eval =
        options.masks.dropout() == 0
            ? this
            : new AdditiveAttention(new Options(options.masks.withoutDropout()));
  }

  /** Full attention with all defaults: no mask, out in the query's type. */
  public static AdditiveAttention create() {
    return new AdditiveAttention(Options.DEFAULT);
  }

  /** A builder with all defaults. */
  public static Builder builder() {
    return new Builder(Options.DEFAULT);
  }

  /** A builder that starts from this. */
  public Builder toBuilder() {
    return new Builder(options);
  }

  /**
   * The same attention without dropout, for inference; this, where there is none. Always the same
   * object.
   */
  public AdditiveAttention eval() {
    return eval;
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [B, Sq, Hq, A],
   * key [B, Sk, Hk, A], value [B, Sk, Hk, Dv], weight [Hq, A] {@link DType#FLOAT32}; or, for {@link
   * SequenceCall#cuSeqlens packed} sequences, [Tq, Hq, A], [Tk, Hk, A], [Tk, Hk, Dv] and the same
   * weight. Nothing is checked before the call is planned or run.
   */
  public AdditiveCall call(Tensor query, Tensor key, Tensor value, Tensor weight) {
    return new AdditiveCall(this, query, key, value, weight, new RunMemory());
  }

  /**
   * Computes attention into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}, as {@link
   * Attention#forward(Scope, Tensor, Tensor, Tensor)} does.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if there is dropout, or a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor query, Tensor key, Tensor value, Tensor weight) {
    return scope.withMemory(
        memory -> new AdditiveCall(this, query, key, value, weight, memory).forward(scope));
  }

  /**
   * The same with dropout, for one step of training.
   *
   * @param seed with {@code offset} names the weights that are dropped: as in {@link
   *     SoftmaxCall#dropoutSeed}, each step has its own pair
   * @throws RuntimeException as {@link #forward(Scope, Tensor, Tensor, Tensor, Tensor)}
   */
  public Tensor forward(
      Scope scope, Tensor query, Tensor key, Tensor value, Tensor weight, long seed, int offset) {
    return scope.withMemory(
        memory ->
            new AdditiveCall(this, query, key, value, weight, memory)
                .dropoutSeed(seed, offset)
                .forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof AdditiveAttention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(AdditiveAttention.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }

  /** Builds an {@link AdditiveAttention}. Not thread-safe. */
  public static final class Builder extends MaskBuilder<Builder> {
    private Builder(Options from) {
      super(from.masks);
    }

    /** The attention; this builder may go on. */
    public AdditiveAttention build() {
      return new AdditiveAttention(new Options(maskOptions()));
    }
  }
}

package dev.fovea;

import java.util.Objects;

/**
 * Low-rank attention: keys and values are projected along the sequence to R of each, and attention
 * is to these, in time and memory linear in the length of the sequence. Immutable and thread-safe.
 *
 * <p>With query [B, Sq, Hq, D], key [B, Sk, Hk, D], value [B, Sk, Hk, Dv], and projections E and F
 * [Hk, R, Sk], or [R, Sk] for all heads, for each sequence:
 *
 * <pre>
 *   key'_r   = sum_j E_rj key_j,  value'_r = sum_j F_rj value_j   over the positions j below its length
 *   x_ir     = scale &lt;query_i, key'_r&gt;                              as {@link Attention} has it
 *   out_i    = sum_r softmax_r(x_i) value'_r
 * </pre>
 *
 * <p>This is {@link SequenceProjection} twice and {@link Attention}, on tensors that lie where they
 * are: nothing is copied. key' and value' are rounded to the type of key. A shorter sequence has
 * the first columns of E and F, and all R rows; one of length 0 gives out = 0. E and F may be one
 * tensor, as may those of several layers.
 *
 * <p>There is no causal mask, nor anything else that depends on where a key is: every projected key
 * is a sum over all positions, so that what a query must not see is in all that it sees. An
 * attention with a mask, a window or a score modifier is refused.
 *
 * <p>Source: Wang et al., Linformer: Self-attention with linear complexity, 2020, arXiv 2006.04768,
 * section 4.
 */
public final class LowRankAttention {
  private final Attention attention;

  private LowRankAttention(Attention attention) {
    this.attention = attention;
  }

  /** With a scale of 1/sqrt(D) and out in the type of query. */
  public static LowRankAttention create() {
    return of(Attention.create());
  }

  /**
   * With scale, softcap, dropout, type of out and TF32 as {@code attention} says.
   *
   * @throws IllegalArgumentException if that has a mask, a window, a score modifier, or other
   *     options that are about positions of keys
   */
  public static LowRankAttention of(Attention attention) {
    Attention.Options options = attention.options();
    boolean masked =
        !options.masks().mask().equals("none")
            || options.imageWindow() != null
            || options.blockQueries() != 0
            || options.gaussianSigma() != 0
            || options.spanRamp() != 0
            || options.scoreModifier() != null;
    if (masked) {
      throw new IllegalArgumentException(
          attention
              + " depends on positions of keys, and projected keys have none: each is a sum over"
              + " all positions");
    }
    return new LowRankAttention(attention);
  }

  /** The same without dropout, for inference. */
  public LowRankAttention eval() {
    return attention == attention.eval() ? this : new LowRankAttention(attention.eval());
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [B, Sq, Hq, D],
   * key [B, Sk, Hk, D], value [B, Sk, Hk, Dv]; projections [Hk or 1, R, Sk] or [R, Sk]; all of one
   * type. Projected keys and values have memory of the call's own.
   *
   * @throws IllegalArgumentException if a shape or type does not fit
   * @throws FoveaException if there is no memory for projected keys and values
   */
  public LowRankCall call(
      Tensor query, Tensor key, Tensor value, Tensor keyProjection, Tensor valueProjection) {
    return new LowRankCall(
        attention,
        new LowRankOperands(query, key, value, keyProjection, valueProjection).allocated());
  }

  /**
   * The same with a place for projected keys and values.
   *
   * @param projectedKey [B, R, Hk, D] of the type of key, with a contiguous last dimension
   * @param projectedValue [B, R, Hk, Dv], likewise
   * @throws IllegalArgumentException if a shape or type does not fit
   */
  public LowRankCall call(
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor keyProjection,
      Tensor valueProjection,
      Tensor projectedKey,
      Tensor projectedValue) {
    return new LowRankCall(
        attention,
        new LowRankOperands(query, key, value, keyProjection, valueProjection)
            .projectedTo(projectedKey, projectedValue));
  }

  /**
   * Computes into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}.
   *
   * @param keyLengths of the sequences of key and value, [B] {@link DType#INT32}; null for Sk
   * @throws RuntimeException as {@link Attention#forward(Scope, Tensor, Tensor, Tensor)}
   */
  public Tensor forward(
      Scope scope,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor keyProjection,
      Tensor valueProjection,
      Tensor keyLengths) {
    return call(query, key, value, keyProjection, valueProjection)
        .keyLengths(keyLengths)
        .forward(scope);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof LowRankAttention that && attention.equals(that.attention);
  }

  @Override
  public int hashCode() {
    return Objects.hash(LowRankAttention.class, attention);
  }

  @Override
  public String toString() {
    return "LowRankAttention[" + attention + "]";
  }
}

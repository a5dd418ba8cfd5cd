package dev.fovea;

import java.util.Objects;

/**
 * The sizes, strides and presence of the operands of attention: what {@link Attention#plan} needs
 * to know of them. Absent operands are null.
 *
 * @param dtype of query, key and value
 * @param packed true if sequences lie end to end: [T, H, D] and offsets instead of [B, S, H, D]
 * @param batch B, number of sequences
 * @param queryLength Sq; packed: the longest query sequence
 * @param keyLength Sk; packed: the longest key sequence
 * @param queryTotal packed: Tq, rows of query; else 0
 * @param keyTotal packed: Tk, rows of key and value; else 0
 * @param queryHeads Hq, a multiple of keyHeads
 * @param keyHeads Hk
 * @param headDim D
 * @param valueHeadDim Dv
 * @param query strides of query
 * @param key strides of key
 * @param value strides of value
 * @param out strides of out
 * @param lse strides of lse, whose positions are contiguous; null if it is not wanted
 * @param biasDType element type of the bias; null without a bias
 * @param bias strides of the bias, 0 for a dimension that is broadcast; null without a bias
 * @param weights strides of the weights by query position; null if they are not wanted
 * @param alibi strides of the slopes by batch and head, 0 for a dimension that is broadcast; null
 *     without slopes
 * @param sinks true if there are sinks
 * @param queryLengths true if lengths of the query sequences are given
 * @param keyLengths true if lengths of the key sequences are given
 */
public record AttentionShape(
    DType dtype,
    boolean packed,
    long batch,
    long queryLength,
    long keyLength,
    long queryTotal,
    long keyTotal,
    long queryHeads,
    long keyHeads,
    long headDim,
    long valueHeadDim,
    Strides query,
    Strides key,
    Strides value,
    Strides out,
    Strides lse,
    DType biasDType,
    Strides bias,
    Strides weights,
    Strides alibi,
    boolean sinks,
    boolean queryLengths,
    boolean keyLengths) {

  /** Elements from one index to the next, by what the dimension means; 0 where there is none. */
  public record Strides(long batch, long position, long head) {
    /** Of dense [B, S, H, D] or [T, H, D]. */
    static Strides rows(boolean packed, long length, long heads, long dim) {
      return new Strides(
          packed ? 0 : Layouts.product(length, heads, dim), Layouts.product(heads, dim), dim);
    }
  }

  /** Checks only that nothing needed is missing: the planner checks the numbers. */
  public AttentionShape {
    Objects.requireNonNull(dtype, "dtype");
    Objects.requireNonNull(query, "query");
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(value, "value");
    Objects.requireNonNull(out, "out");
    if (valueHeadDim < 1) { // to the planner, 0 would mean headDim
      throw new IllegalArgumentException("valueHeadDim is " + valueHeadDim + ", expected 1 to 512");
    }
    if ((biasDType == null) != (bias == null)) {
      throw new IllegalArgumentException("biasDType and bias: only one of them is given");
    }
  }

  /** Dense operands [B, S, H, D]; nothing optional. */
  public static Builder dense(
      DType dtype,
      long batch,
      long queryLength,
      long keyLength,
      long queryHeads,
      long keyHeads,
      long headDim) {
    Builder builder = new Builder(dtype, queryHeads, keyHeads, headDim);
    builder.batch = batch;
    builder.queryLength = queryLength;
    builder.keyLength = keyLength;
    return builder;
  }

  /** Dense packed operands [T, H, D]; nothing optional. */
  public static Builder packed(
      DType dtype,
      long batch,
      long longestQuery,
      long longestKey,
      long queryTotal,
      long keyTotal,
      long queryHeads,
      long keyHeads,
      long headDim) {
    Builder builder = dense(dtype, batch, longestQuery, longestKey, queryHeads, keyHeads, headDim);
    builder.packed = true;
    builder.queryTotal = queryTotal;
    builder.keyTotal = keyTotal;
    return builder;
  }

  /** Builds an {@link AttentionShape}; strides that are not set are those of dense operands. */
  public static final class Builder {
    private final DType dtype;
    private boolean packed;
    private long batch;
    private long queryLength;
    private long keyLength;
    private long queryTotal;
    private long keyTotal;
    private final long queryHeads;
    private final long keyHeads;
    private final long headDim;
    private long valueHeadDim;
    private Strides query;
    private Strides key;
    private Strides value;
    private Strides out;
    private Strides lse;
    private DType biasDType;
    private Strides bias;
    private Strides weights;
    private Strides alibi;
    private boolean sinks;
    private boolean queryLengths;
    private boolean keyLengths;

    private Builder(DType dtype, long queryHeads, long keyHeads, long headDim) {
      this.dtype = dtype;
      this.queryHeads = queryHeads;
      this.keyHeads = keyHeads;
      this.headDim = headDim;
      this.valueHeadDim = headDim;
    }

    /** Dv, where it is not D. */
    public Builder valueHeadDim(long size) {
      valueHeadDim = size;
      return this;
    }

    /** Strides of query. */
    public Builder query(Strides strides) {
      query = strides;
      return this;
    }

    /** Strides of key. */
    public Builder key(Strides strides) {
      key = strides;
      return this;
    }

    /** Strides of value. */
    public Builder value(Strides strides) {
      value = strides;
      return this;
    }

    /** Strides of out. */
    public Builder out(Strides strides) {
      out = strides;
      return this;
    }

    /**
     * lse is wanted, dense [B, Hq, Sq] or [Hq, Tq].
     *
     * @throws IllegalArgumentException if its strides overflow 64 bits
     */
    public Builder lse() {
      return lse(
          packed
              ? new Strides(0, 1, queryTotal)
              : new Strides(Layouts.product(queryHeads, queryLength), 1, queryLength));
    }

    /** lse is wanted, with these strides; positions are contiguous. */
    public Builder lse(Strides strides) {
      lse = strides;
      return this;
    }

    /** A bias with these strides, 0 for a dimension that is broadcast. */
    public Builder bias(DType type, Strides strides) {
      biasDType = type;
      bias = strides;
      return this;
    }

    /**
     * Weights are wanted, dense [B, Hq, Sq, Sk] or [Hq, Tq, Sk].
     *
     * @throws IllegalArgumentException if their strides overflow 64 bits
     */
    public Builder weights() {
      long rows = packed ? queryTotal : queryLength;
      return weights(
          new Strides(
              packed ? 0 : Layouts.product(queryHeads, rows, keyLength),
              keyLength,
              Layouts.product(rows, keyLength)));
    }

    /** Weights are wanted, with these strides; keys are contiguous. */
    public Builder weights(Strides strides) {
      weights = strides;
      return this;
    }

    /** ALiBi slopes with these strides, 0 for a dimension that is broadcast. */
    public Builder alibiSlopes(Strides strides) {
      alibi = strides;
      return this;
    }

    /** Sinks are given. */
    public Builder sinks() {
      sinks = true;
      return this;
    }

    /** Lengths of the query sequences are given. */
    public Builder queryLengths() {
      queryLengths = true;
      return this;
    }

    /** Lengths of the key sequences are given. */
    public Builder keyLengths() {
      keyLengths = true;
      return this;
    }

    /**
     * The shape.
     *
     * @throws IllegalArgumentException if the strides of dense operands overflow 64 bits
     */
    public AttentionShape build() {
      return new AttentionShape(
          dtype,
          packed,
          batch,
          queryLength,
          keyLength,
          queryTotal,
          keyTotal,
          queryHeads,
          keyHeads,
          headDim,
          valueHeadDim,
          query != null ? query : Strides.rows(packed, queryLength, queryHeads, headDim),
          key != null ? key : Strides.rows(packed, keyLength, keyHeads, headDim),
          value != null ? value : Strides.rows(packed, keyLength, keyHeads, valueHeadDim),
          out != null ? out : Strides.rows(packed, queryLength, queryHeads, valueHeadDim),
          lse,
          biasDType,
          bias,
          weights,
          alibi,
          sinks,
          queryLengths,
          keyLengths);
    }
  }
}

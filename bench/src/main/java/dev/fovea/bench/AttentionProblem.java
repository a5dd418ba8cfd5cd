package dev.fovea.bench;

import dev.fovea.DType;
import java.util.Locale;

/**
 * One self-attention to time: a batch of one, as many queries as keys, D = Dv.
 *
 * @param dtype of query, key, value and out
 * @param sequence length S
 * @param heads H
 * @param headDim D
 * @param causal each query sees the keys up to its own
 * @param order of the operands in memory
 */
record AttentionProblem(
    DType dtype, int sequence, int heads, int headDim, boolean causal, Order order) {

  /** Orders of the dimensions in memory, outermost first. */
  enum Order {
    /** Heads before positions: each head is one dense matrix. */
    BHSD,
    /** Positions before heads, as projections write it. */
    BSHD
  }

  /** Unmasked pairs of query and key, over all heads. */
  long pairs() {
    long s = sequence;
    return heads * (causal ? s * (s + 1) / 2 : s * s);
  }

  /** Operations that the result needs: 2 (D + Dv) for each pair, nothing for what is masked. */
  double flops() {
    return 4.0 * headDim * pairs();
  }

  /** The same problem in another dtype. */
  AttentionProblem as(DType other) {
    return new AttentionProblem(other, sequence, heads, headDim, causal, order);
  }

  String dtypeName() {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  String mask() {
    return causal ? "causal" : "full";
  }

  @Override
  public String toString() {
    return "%s %s S %d H %d D %d %s"
        .formatted(dtypeName(), order, sequence, heads, headDim, mask());
  }
}

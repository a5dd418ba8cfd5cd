package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import java.util.Locale;

/**
 * One self-attention to time: a batch of one, as many queries as keys, D = Dv.
 *
 * @param pass forward or backward pass
 * @param dtype of query, key, value and out, and of their gradients
 * @param sequence length S
 * @param heads H
 * @param headDim D
 * @param causal each query sees the keys up to its own
 * @param order of the operands in memory
 */
record AttentionProblem(
    Pass pass, DType dtype, int sequence, int heads, int headDim, boolean causal, Order order) {

  /** Products of the backward pass, over the two of the forward pass. */
  private static final double BACKWARD = 2.5;

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

  /**
   * Operations that the result needs: 2 (D + Dv) for each pair, in the backward pass 2.5 times
   * that, nothing for what is masked.
   */
  double flops() {
    return 4.0 * headDim * pairs() * (pass == Pass.BACKWARD ? BACKWARD : 1);
  }

  /** The same problem in another dtype. */
  AttentionProblem as(DType other) {
    return new AttentionProblem(pass, other, sequence, heads, headDim, causal, order);
  }

  String dtypeName() {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  String mask() {
    return causal ? "causal" : "full";
  }

  @Override
  public String toString() {
    return "%s %s %s S %d H %d D %d %s"
        .formatted(pass, dtypeName(), order, sequence, heads, headDim, mask());
  }
}

package dev.fovea.cli.bench;

import dev.fovea.DType;

/**
 * What is timed: dense [B, S, H, D] operands.
 *
 * @param causal with the last query at the last key
 */
public record AttentionSizes(
    int batch,
    int heads,
    int keyHeads,
    int queryLength,
    int keyLength,
    int headDim,
    DType dtype,
    boolean causal) {

  /** Checks the numbers. */
  public AttentionSizes {
    if (batch < 1 || heads < 1 || keyHeads < 1 || queryLength < 1 || keyLength < 1 || headDim < 1) {
      throw new IllegalArgumentException("sizes must be 1 or more: there is nothing to time");
    }
    if (heads % keyHeads != 0) {
      throw new IllegalArgumentException(
          "heads is " + heads + ", expected a multiple of kv-heads, " + keyHeads);
    }
  }

  /** Query heads that share a key and value head. */
  int group() {
    return heads / keyHeads;
  }

  /** How many keys query {@code i} sees. */
  int visible(int i) {
    return causal ? Math.clamp((long) i + keyLength - queryLength + 1, 0, keyLength) : keyLength;
  }

  /** Multiplications and additions for the pairs that are not masked. */
  double flops() {
    double pairs = 0;
    for (int i = 0; i < queryLength; i++) {
      pairs += visible(i);
    }
    return 4.0 * batch * heads * headDim * pairs;
  }
}

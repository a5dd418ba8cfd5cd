package dev.fovea.cli.bench;

import dev.fovea.DType;
import dev.fovea.cli.memory.MemoryNeed;

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

  /** Refuses numbers that do not go together, by the names of the command line. */
  public AttentionSizes {
    atLeastOne("--batch", batch);
    atLeastOne("--heads", heads);
    atLeastOne("--kv-heads", keyHeads);
    atLeastOne("--query-length", queryLength);
    atLeastOne("--key-length", keyLength);
    atLeastOne("--head-dim", headDim);
    if (heads % keyHeads != 0) {
      throw new IllegalArgumentException(
          "--heads is " + heads + ", expected a multiple of --kv-heads, " + keyHeads);
    }
    fits("query", batch, queryLength, heads, headDim);
    fits("key", batch, keyLength, keyHeads, headDim);
  }

  private static void atLeastOne(String option, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          option + " is " + value + ", expected 1 or more: there is nothing to time");
    }
  }

  /** Values are drawn, and compared, in Java arrays. */
  private static void fits(String name, int batch, int length, int heads, int headDim) {
    double elements = (double) batch * length * heads * headDim;
    if (elements > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "%s [%d, %d, %d, %d] has %.0f elements, expected at most %d to be timed"
              .formatted(name, batch, length, heads, headDim, elements, Integer.MAX_VALUE));
    }
  }

  /**
   * Refuses sizes that this machine has no memory for.
   *
   * @param threads that the unfused peer runs on, each with a matrix of scores
   */
  public void checkMemory(int threads) {
    MemoryNeed memory = new MemoryNeed();
    for (DType type : new DType[] {dtype, DType.FLOAT32}) {
      memory.add("query", type, batch, queryLength, heads, headDim);
      memory.add("key", type, batch, keyLength, keyHeads, headDim);
      memory.add("value", type, batch, keyLength, keyHeads, headDim);
      memory.add("out", type, batch, queryLength, heads, headDim);
    }
    memory.add("the scores of unfused attention", DType.FLOAT32, threads, queryLength, keyLength);
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

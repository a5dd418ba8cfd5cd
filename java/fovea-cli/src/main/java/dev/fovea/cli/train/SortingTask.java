package dev.fovea.cli.train;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Random sequences to be sorted. What belongs at a position depends on all tokens: without
 * attention nothing better than the distribution of the position can be learnt.
 */
final class SortingTask {
  private final int vocabulary;
  private final int length;
  private final int[] tokens;
  private final int[] sorted;

  /** Batches of {@code batch} sequences. */
  SortingTask(int vocabulary, int length, int batch) {
    this.vocabulary = vocabulary;
    this.length = length;
    tokens = new int[batch * length];
    sorted = new int[batch * length];
  }

  /** Draws the next batch. */
  void draw(RandomGenerator random) {
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = random.nextInt(vocabulary);
    }
    System.arraycopy(tokens, 0, sorted, 0, tokens.length);
    for (int from = 0; from < sorted.length; from += length) {
      Arrays.sort(sorted, from, from + length);
    }
  }

  /** The batch, sequence after sequence. */
  int[] tokens() {
    return tokens;
  }

  /** What is to come out. */
  int[] sorted() {
    return sorted;
  }
}

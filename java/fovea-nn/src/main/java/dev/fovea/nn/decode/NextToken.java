package dev.fovea.nn.decode;

import java.util.List;

/** A model of sequences: what may come next. */
@FunctionalInterface
public interface NextToken {
  /**
   * The scores of every token of the vocabulary as the next one, before any softmax; minus infinity
   * for one that cannot come next.
   *
   * @param prefixes sequences of one length
   * @param starts of which sequence that was asked for each is the beginning, counted from 0: what
   *     a decoder with an encoder attends to follows from that
   * @return for each of them an array that the caller may change
   */
  float[][] logits(List<int[]> prefixes, int[] starts);
}

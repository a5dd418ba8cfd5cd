package dev.fovea.serving;

import dev.fovea.nn.CachedRows;
import dev.fovea.nn.Variable;

/** A language model as a {@link Generator} runs it: {@code TransformerLm::forward} is one. */
@FunctionalInterface
public interface DecoderModel {
  /**
   * Scores of what comes next, before any softmax, of tokens whose sequences begin in a cache,
   * which gets their keys and values.
   *
   * @param tokens int32 [T], sequence behind sequence
   * @param positionIds int32 [T]: the places of the tokens in their sequences, from 0
   * @param cache where they belong
   * @param wanted int32 [n]: of which tokens scores are wanted, from 0 to T - 1
   * @return [n, vocabulary], in a type whose values are floats
   */
  Variable scores(Variable tokens, Variable positionIds, CachedRows cache, Variable wanted);
}

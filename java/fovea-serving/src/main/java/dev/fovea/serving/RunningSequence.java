package dev.fovea.serving;

import java.util.Arrays;
import java.util.SplittableRandom;

/** A request in its slot: the tokens it has, of which the cache has the first. */
final class RunningSequence {
  private final Generation generation;
  private final KvSequence sequence;
  private final SplittableRandom random;
  private int[] tokens;
  private int count; // of tokens

  RunningSequence(Generation generation, KvSequence sequence) {
    this.generation = generation;
    this.sequence = sequence;
    GenerationRequest request = generation.request();
    random = new SplittableRandom(request.seed());
    tokens = request.prompt();
    count = tokens.length;
  }

  Generation generation() {
    return generation;
  }

  KvSequence sequence() {
    return sequence;
  }

  /** Tokens that the cache does not have yet: at least one. */
  int missing() {
    return count - sequence.length();
  }

  int token(int i) {
    return tokens[i];
  }

  /** Pages that it may still need. */
  int outstanding() {
    KvCache cache = sequence.cache();
    return cache.pagesOf((int) generation.request().longest()) - cache.pagesOf(sequence.length());
  }

  /** Takes a token of those that were scored; scores of which none can be taken fail it. */
  void choose(float[] scores) {
    int token;
    try {
      token = generation.request().sampling().draw(scores, random.nextDouble());
    } catch (IllegalStateException e) {
      generation.end(Generation.State.FAILED, e);
      return;
    }
    if (count == tokens.length) {
      tokens = Arrays.copyOf(tokens, (int) Math.min(2L * count, generation.request().longest()));
    }
    tokens[count++] = token;
    generation.add(token);
  }

  /** The tokens that the cache has. */
  int[] known() {
    return Arrays.copyOf(tokens, sequence.length());
  }

  /** How many tokens two sequences begin with alike. */
  static int common(int[] tokens, int[] others) {
    int mismatch = Arrays.mismatch(tokens, others);
    return mismatch < 0 ? tokens.length : mismatch;
  }
}

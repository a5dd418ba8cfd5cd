package dev.fovea.nn.decode;

import java.util.Arrays;

/**
 * A decoded sequence.
 *
 * @param tokens with those it began with and, where it was reached, the end token
 * @param logProbability of all tokens behind the first ones: the sum of their natural logarithms
 * @param isEnded whether the last token is the end token
 */
public record Hypothesis(int[] tokens, double logProbability, boolean isEnded) {
  Hypothesis with(int token, double logProbability, int end) {
    int[] longer = Arrays.copyOf(tokens, tokens.length + 1);
    longer[tokens.length] = token;
    return new Hypothesis(longer, this.logProbability + logProbability, token == end);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Hypothesis that
        && Arrays.equals(tokens, that.tokens)
        && logProbability == that.logProbability
        && isEnded == that.isEnded;
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(tokens);
  }

  @Override
  public String toString() {
    return "%s %.4f%s".formatted(Arrays.toString(tokens), logProbability, isEnded ? "" : " (cut)");
  }
}

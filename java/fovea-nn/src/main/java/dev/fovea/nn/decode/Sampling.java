package dev.fovea.nn.decode;

import java.util.Arrays;

/**
 * What a token is drawn from: the softmax of scores divided by a temperature, cut to its likeliest
 * tokens.
 *
 * <p>Of equal tokens the first are kept.
 *
 * @param temperature 1 is the model as it is, less prefers likely tokens more, 0 is the likeliest
 * @param topK only so many likeliest tokens (Fan et al., 2018, arXiv 1805.04833); 0 = all
 * @param topP only the fewest likeliest tokens whose probabilities sum to this or more, as they are
 *     before topK cuts (Holtzman et al., 2019, arXiv 1904.09751); 1 = all
 */
public record Sampling(double temperature, int topK, double topP) {
  /** Checks. */
  public Sampling {
    if (!(temperature >= 0) || temperature == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "temperature is " + temperature + ", expected a number of 0 or more");
    }
    if (topK < 0) {
      throw new IllegalArgumentException("topK is " + topK + ", expected 0 or more");
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("topP is " + topP + ", expected above 0, at most 1");
    }
  }

  /** The model as it is. */
  public static Sampling plain() {
    return new Sampling(1, 0, 1);
  }

  /** The likeliest token each time. */
  public static Sampling greedy() {
    return new Sampling(0, 0, 1);
  }

  /**
   * The token that {@code chance} falls on.
   *
   * @param scores of every token, before any softmax; minus infinity for one that cannot come
   * @param chance of [0, 1), drawn evenly
   * @throws IllegalStateException if a score is NaN or plus infinity, or all are minus infinity
   */
  public int draw(float[] scores, double chance) {
    int likeliest = Decoder.likeliest(scores);
    if (temperature == 0) {
      return likeliest;
    }
    double most = scores[likeliest];
    double[] weights = new double[scores.length];
    double all = 0;
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.exp((scores[i] - most) / temperature);
      all += weights[i];
    }
    long[] order = order(scores);
    int count = topK == 0 ? order.length : Math.min(topK, order.length);
    double sum = 0;
    int kept = 0;
    while (kept < count && weights[(int) order[kept]] > 0 && (topP == 1 || sum < topP * all)) {
      sum += weights[(int) order[kept++]];
    }
    double rest = chance * sum;
    for (int i = 0; i < kept - 1; i++) {
      rest -= weights[(int) order[i]];
      if (rest < 0) {
        return (int) order[i];
      }
    }
    return (int) order[kept - 1]; // rounding may leave a little
  }

  /** Tokens, the likeliest first and equal ones in order, each in the lower half of a number. */
  private static long[] order(float[] scores) {
    long[] order = new long[scores.length];
    for (int i = 0; i < order.length; i++) {
      int bits = Float.floatToIntBits(0f - scores[i]); // 0 - x makes one zero of two
      int ascending = bits ^ (bits >> 31 & Integer.MAX_VALUE);
      order[i] = (long) ascending << Integer.SIZE | i;
    }
    Arrays.sort(order);
    return order;
  }
}

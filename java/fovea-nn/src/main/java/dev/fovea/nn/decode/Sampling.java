package dev.fovea.nn.decode;

import java.util.Arrays;
import java.util.Comparator;

/**
 * What a token is drawn from: the softmax of scores divided by a temperature, cut to its likeliest
 * tokens.
 *
 * <p>Of equal tokens the first are kept.
 *
 * @param temperature above 0; 1 is the model as it is, less prefers likely tokens more
 * @param topK only so many likeliest tokens (Fan et al., 2018, arXiv 1805.04833); 0 = all
 * @param topP only the fewest likeliest tokens whose probabilities sum to this or more, as they are
 *     before topK cuts (Holtzman et al., 2019, arXiv 1904.09751); 1 = all
 */
public record Sampling(double temperature, int topK, double topP) {
  /** Checks. */
  public Sampling {
    if (!(temperature > 0) || temperature == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "temperature is " + temperature + ", expected a number above 0");
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

  /** The token that {@code chance} of [0, 1) falls on. */
  int draw(float[] scores, double chance) {
    double most = scores[Decoder.likeliest(scores)];
    double[] weights = new double[scores.length];
    Arrays.setAll(weights, i -> Math.exp((scores[i] - most) / temperature));
    double all = Arrays.stream(weights).sum();
    Integer[] order = new Integer[scores.length];
    Arrays.setAll(order, i -> i);
    // Stable: equal ones stay in order, and 0 - x makes one zero of two.
    Arrays.sort(order, Comparator.comparingDouble(i -> 0.0 - scores[i]));
    int count = topK == 0 ? order.length : Math.min(topK, order.length);
    double sum = 0;
    int kept = 0;
    while (kept < count && weights[order[kept]] > 0 && (topP == 1 || sum < topP * all)) {
      sum += weights[order[kept++]];
    }
    double rest = chance * sum;
    for (int i = 0; i < kept - 1; i++) {
      rest -= weights[order[i]];
      if (rest < 0) {
        return order[i];
      }
    }
    return order[kept - 1]; // rounding may leave a little
  }
}

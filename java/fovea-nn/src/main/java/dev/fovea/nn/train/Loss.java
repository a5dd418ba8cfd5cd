package dev.fovea.nn.train;

import dev.fovea.CrossEntropy;
import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.Functions;
import dev.fovea.nn.Variable;
import java.util.Arrays;

/**
 * What training makes small: a number, with its derivative by a variable.
 *
 * @param value the number; NaN and infinities are for who reads it to judge
 * @param output what it was computed from
 * @param gradient of the number by {@code output}; of the losses here it is float32, whatever the
 *     model computes in: it is rounded when it has been scaled
 */
public record Loss(double value, Variable output, Tensor gradient) {

  /** Adds the gradients of all parameters that it depends on to what they have. */
  public void backward() {
    backward(1);
  }

  /**
   * Adds {@code scale} times the gradients: what a {@link LossScale} says.
   *
   * @param scale a finite number
   */
  public void backward(double scale) {
    Tensor scaled = gradient;
    if (scale != 1) {
      float[] values = gradient.toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] *= (float) scale;
      }
      scaled = seed(output).copyFrom(values);
    }
    output.tape().backward(output, scaled);
  }

  /**
   * The mean cross-entropy of all rows that are not ignored; 0 where all are.
   *
   * @param logits scores of classes, [B, S, V], before any softmax
   * @param targets the right classes, int32 [B, S]; negative ones are ignored: padding, or what a
   *     masked language model has not to guess
   */
  public static Loss crossEntropy(Variable logits, Variable targets) {
    return crossEntropy(CrossEntropy.create(), logits, targets);
  }

  /** The same with label smoothing. */
  public static Loss crossEntropy(CrossEntropy loss, Variable logits, Variable targets) {
    Variable rows = Functions.crossEntropy(loss, logits, targets);
    long counted = 0;
    for (int target : targets.value().toIntArray()) {
      counted += target >= 0 ? 1 : 0;
    }
    double sum = 0;
    for (float row : rows.value().toFloatArray()) {
      sum += row;
    }
    double each = 1.0 / Math.max(1, counted);
    return new Loss(sum * each, rows, seed(rows).fill((float) each));
  }

  /**
   * The mean of {@code (x - target)^2} over all elements. Computed by the host, in float64.
   *
   * @param target of the shape of x
   */
  public static Loss meanSquaredError(Variable x, Variable target) {
    if (!Arrays.equals(x.shape(), target.shape())) {
      throw new IllegalArgumentException(
          "target has shape %s, expected that of x, %s"
              .formatted(Arrays.toString(target.shape()), Arrays.toString(x.shape())));
    }
    float[] values = x.value().toFloatArray();
    float[] targets = target.value().toFloatArray();
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      double error = (double) values[i] - targets[i];
      sum += error * error;
      values[i] = (float) (2 * error / values.length);
    }
    return new Loss(sum / Math.max(1, values.length), x, seed(x).copyFrom(values));
  }

  /**
   * The mean of {@code ln(1 + exp(lower - higher))} over pairs: what should rank higher against
   * what should rank lower (Burges et al., Learning to rank using gradient descent, 2005). Computed
   * by the host, in float64.
   *
   * @param scores [2, N] or [2, N, 1]: the first of every pair should be the higher
   */
  public static Loss pairwiseRanking(Variable scores) {
    if (scores.shape().length == 0 || scores.size(0) != 2) {
      throw new IllegalArgumentException(
          "scores have shape %s, expected [2, N]".formatted(Arrays.toString(scores.shape())));
    }
    float[] values = scores.value().toFloatArray();
    int pairs = values.length / 2;
    double sum = 0;
    for (int i = 0; i < pairs; i++) {
      double difference = (double) values[pairs + i] - values[i];
      // ln(1 + e^d) and its derivative, without an overflow.
      double small = Math.exp(-Math.abs(difference));
      sum += Math.max(difference, 0) + Math.log1p(small);
      double slope = (difference >= 0 ? 1 : small) / (1 + small) / pairs;
      values[i] = (float) -slope;
      values[pairs + i] = (float) slope;
    }
    return new Loss(sum / Math.max(1, pairs), scores, seed(scores).copyFrom(values));
  }

  private static Tensor seed(Variable of) {
    return of.tape().input(DType.FLOAT32, of.shape()).value();
  }
}

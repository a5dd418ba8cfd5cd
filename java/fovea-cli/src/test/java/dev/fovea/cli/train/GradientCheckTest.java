package dev.fovea.cli.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The gradients of the whole model against differences of its loss: for each column of each
 * parameter the derivative along a random direction.
 */
class GradientCheckTest {

  private static final long SEED = 3;
  private static final int BATCH = 3;
  private static final Transformer.Sizes SIZES = new Transformer.Sizes(5, 6, 8, 2, 12, 2);

  /**
   * Steps of directions of length 1. Inside a long one a ReLU may switch, where the loss has a
   * kink; in a short one rounding shows. A right gradient agrees with one of them, a wrong one with
   * none.
   */
  private static final double[] STEPS = {0.01, 0.003, 0.001};

  /** A float32 loss of 2 has an error of about 1e-7, which a difference divides by 2 steps. */
  private static final double ROUNDING = 3e-5;

  /** Of the column's gradient: what is left of the third derivative, with room. */
  private static final double CURVATURE = 2e-3;

  private final RandomGenerator random = new SplittableRandom(SEED);
  private final Workspace workspace = new Workspace(BATCH * SIZES.length(), random);
  private final Transformer model = new Transformer(workspace, SIZES, BATCH);
  private final CrossEntropy loss = new CrossEntropy(workspace, SIZES.vocabulary());
  private final SortingTask task = new SortingTask(SIZES.vocabulary(), SIZES.length(), BATCH);

  @AfterEach
  void free() {
    workspace.close();
  }

  @Test
  void everyParametersGradientIsThatOfTheLoss() {
    task.draw(random);
    loss();
    model.backward(loss.gradient());
    List<Parameter> parameters = workspace.parameters();
    for (int p = 0; p < parameters.size(); p++) {
      Matrix gradient = parameters.get(p).gradient();
      double largest = 0;
      for (int column = 0; column < gradient.columns(); column++) {
        double[] slope = column(gradient, column);
        double length = Math.sqrt(dot(slope, slope));
        double[] direction = direction(slope.length);
        double expected = dot(slope, direction);
        double error = error(parameters.get(p).value(), column, direction, expected);
        assertTrue(
            error <= ROUNDING + CURVATURE * length,
            "seed %d, parameter %d, column %d: the derivative is %g, off by %g"
                .formatted(SEED, p, column, expected, error));
        largest = Math.max(largest, length);
      }
      assertTrue(largest > 100 * ROUNDING, "parameter " + p + " is not tested: " + largest);
    }
  }

  private double loss() {
    return loss.forward(model.forward(task.tokens()), task.sorted());
  }

  /** How far the best difference is from {@code expected}. */
  private double error(Matrix values, int column, double[] direction, double expected) {
    double[] saved = column(values, column);
    double least = Double.POSITIVE_INFINITY;
    for (double step : STEPS) {
      move(values, column, saved, direction, step);
      double above = loss();
      move(values, column, saved, direction, -step);
      double difference = (above - loss()) / (2 * step);
      least = Math.min(least, Math.abs(difference - expected));
    }
    move(values, column, saved, direction, 0);
    return least;
  }

  private static void move(Matrix to, int column, double[] from, double[] direction, double step) {
    float[] row = new float[to.columns()];
    for (int r = 0; r < to.rows(); r++) {
      to.get(r, row);
      row[column] = (float) (from[r] + step * direction[r]);
      to.set(r, row);
    }
  }

  private static double[] column(Matrix matrix, int column) {
    double[] values = new double[matrix.rows()];
    float[] row = new float[matrix.columns()];
    for (int r = 0; r < values.length; r++) {
      matrix.get(r, row);
      values[r] = row[column];
    }
    return values;
  }

  private double[] direction(int size) {
    double[] direction = random.doubles(size, -1, 1).toArray();
    double length = Math.sqrt(dot(direction, direction));
    for (int i = 0; i < size; i++) {
      direction[i] /= length;
    }
    return direction;
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }
}

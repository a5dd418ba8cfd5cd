package dev.fovea.testkit.pairs;

import dev.fovea.testkit.Expected;
import java.util.Arrays;

/** Rows of sums of terms, of their sizes, and of the errors of each. */
final class GradientSums {

  private final int width;
  private final ScoreRow scores;
  private final double[] value;
  private final double[] absolute;
  private final double[] arithmetic;
  private final int[] terms;
  private final boolean[] free;

  /** Sums of zero terms. */
  GradientSums(int rows, int width, ScoreRow scores) {
    this.width = width;
    this.scores = scores;
    value = new double[rows * width];
    absolute = new double[rows * width];
    arithmetic = new double[rows * width];
    terms = new int[rows];
    free = new boolean[rows];
  }

  /** The first rows are sums of zero terms again. */
  void clear(int rows) {
    for (double[] sums : new double[][] {value, absolute, arithmetic}) {
      Arrays.fill(sums, 0, rows * width, 0);
    }
    Arrays.fill(terms, 0, rows, 0);
    Arrays.fill(free, 0, rows, false);
  }

  /** A row is about to get a term in each column. */
  void begin(int row) {
    terms[row]++;
  }

  /** Adds to a column of a row a term, its size as it is summed, and the bound of its error. */
  void add(int row, int column, double exact, double size, double error) {
    int at = row * width + column;
    value[at] += exact;
    absolute[at] += size;
    arithmetic[at] += error;
  }

  /** Whatever is not NaN in this row may be anything. */
  void free(int row) {
    free[row] = true;
  }

  /**
   * Says what a row of a gradient must be.
   *
   * @param index in the buffer of the gradient
   * @param before what the buffer held, if that is added to; or null
   */
  void expect(Expected gradient, int index, int row, float[] before) {
    for (int d = 0; d < width; d++) {
      int at = row * width + d;
      double exact = value[at] + (before == null ? 0 : before[index + d]);
      if (Double.isNaN(exact) || terms[row] == 0 && !free[row]) {
        gradient.expect(index + d, exact, 0);
      } else if (free[row]) {
        gradient.free(index + d, exact);
      } else {
        double float32 =
            arithmetic[at]
                + scores.summation(terms[row]) * absolute[at]
                + Oracle.FLUSHED * terms[row]
                + (before == null ? 0 : ScoreRow.FLOAT_UNIT * Math.abs(exact));
        gradient.expectRounded(index + d, exact, float32);
      }
    }
  }
}

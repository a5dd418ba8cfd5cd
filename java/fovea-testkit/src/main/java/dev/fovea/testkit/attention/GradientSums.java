package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.Arrays;

/**
 * Rows of sums of terms, and of the errors of each. Loops run over columns and without branches, so
 * that the JIT compiler vectorises them.
 */
final class GradientSums {

  private static final double FLOAT_UNIT = 0x1p-24;

  private final int width;
  private final OracleHead head;
  private final DType type;
  private final Precision precision;
  private final boolean independent;
  private final double[] value;
  private final double[] absolute;
  private final double[] arithmetic;
  private final double[] rounding;
  private final double[] variance;
  private final int[] terms;
  private final boolean[] free;

  /**
   * Sums of zero terms.
   *
   * @param head of the terms
   * @param precision what forms the sums
   */
  GradientSums(int rows, int width, AttentionCase c, OracleHead head, Precision precision) {
    this.width = width;
    this.head = head;
    this.precision = precision;
    type = c.options().dtype();
    // Equal weights round alike: no mean says more than an element then.
    boolean alike = c.content() == Content.CONSTANT || head.scale() == 0;
    independent = !alike && !c.layouts().query().isShared();
    value = new double[rows * width];
    absolute = new double[rows * width];
    arithmetic = new double[rows * width];
    rounding = new double[rows * width];
    variance = new double[rows * width];
    terms = new int[rows];
    free = new boolean[rows];
  }

  /** The first rows are sums of zero terms again. */
  void clear(int rows) {
    for (double[] sums : new double[][] {value, absolute, arithmetic, rounding, variance}) {
      Arrays.fill(sums, 0, rows * width, 0);
    }
    Arrays.fill(terms, 0, rows, 0);
    Arrays.fill(free, 0, rows, false);
  }

  /** Adds term {@code j} times the row of a matrix that begins at {@code from}. */
  void add(int row, Terms of, int j, Factors factors, int from) {
    int at = row * width;
    double[] matrix = factors.value();
    terms[row]++;
    addProduct(value, at, of.value()[j], matrix, from);
    double size = Math.max(Math.abs(of.value()[j]), factors.least());
    addProduct(absolute, at, size, factors.size(), from);
    addSizes(arithmetic, at, of.arithmetic()[j], matrix, from);
    if (precision.roundsFactors()) {
      addSizes(rounding, at, of.rounding()[j], matrix, from);
      addSquares(at, of.variance()[j], matrix, from);
    }
  }

  private void addProduct(double[] sums, int at, double factor, double[] matrix, int from) {
    for (int d = 0; d < width; d++) {
      sums[at + d] += factor * matrix[from + d];
    }
  }

  private void addSizes(double[] sums, int at, double factor, double[] matrix, int from) {
    for (int d = 0; d < width; d++) {
      sums[at + d] += factor * Math.abs(matrix[from + d]);
    }
  }

  private void addSquares(int at, double factor, double[] matrix, int from) {
    for (int d = 0; d < width; d++) {
      variance[at + d] += factor * (matrix[from + d] * matrix[from + d]);
    }
  }

  /** What rounding the row that was added last, times a coefficient, adds to the errors. */
  void addLost(int row, double coefficient, double[] lost) {
    for (int d = 0; d < width; d++) {
      double error = coefficient * lost[d];
      rounding[row * width + d] += Math.abs(error);
      variance[row * width + d] += error * error;
    }
  }

  /** What else may be wrong with the row that was added last, times a coefficient. */
  void addErrors(int row, double coefficient, double[] errors) {
    for (int d = 0; d < width; d++) {
      arithmetic[row * width + d] += coefficient * errors[d];
    }
  }

  /** Adds term {@code j} times a number to a row of one column. */
  void add(int row, Terms of, int j, double factor) {
    double size = Math.abs(factor);
    add(row, of.value()[j] * factor, of.arithmetic()[j] * size);
    rounding[row] += of.rounding()[j] * size;
    variance[row] += of.variance()[j] * size * size;
  }

  /** Adds a number and the bound of its error to a row of one column. */
  void add(int row, double exact, double error) {
    terms[row]++;
    value[row] += exact;
    absolute[row] += Math.abs(exact);
    arithmetic[row] += error;
  }

  /** What else may be wrong with the number of a row of one column that was added last. */
  void addError(int row, double error) {
    arithmetic[row] += error;
  }

  /** Whatever is not NaN in these rows may be anything. */
  void free(int begin, int end) {
    Arrays.fill(free, begin, end, true);
  }

  /**
   * Says what a row of a gradient must be.
   *
   * @param index in the buffer of the gradient
   * @param before what the buffer held, if that is added to; or null
   */
  void expect(Expected gradient, int index, int row, float[] before) {
    double rowVariance = 0;
    for (int d = 0; d < width; d++) {
      int at = row * width + d;
      double exact = value[at] + (before == null ? 0 : before[index + d]);
      if (Double.isNaN(exact) || terms[row] == 0 && !free[row]) {
        gradient.expect(index + d, exact, 0);
      } else if (free[row]) {
        gradient.free(index + d, exact);
      } else {
        expect(gradient, index + d, exact, at, terms[row], before != null);
        rowVariance += variance[at];
      }
    }
    if (independent) {
      gradient.countRow(rowVariance);
    }
  }

  private void expect(
      Expected gradient, int index, double exact, int at, int terms, boolean added) {
    double float32 =
        arithmetic[at]
            + (head.summation(terms) + precision.truncation(type, false, terms)) * absolute[at]
            + Oracle.FLUSHED * terms
            + (added ? FLOAT_UNIT * Math.abs(exact) : 0);
    // What is rounded last is the computed sum, which may be larger than the exact one.
    double before = Oracle.SLACK * rounding[at] + float32;
    double unit = Rounding.unit(gradient.dtype());
    double last = before == 0 ? 0 : Rounding.subnormalHalf(gradient.dtype());
    last = Math.max(last, unit * (Math.abs(exact) + before));
    gradient.expect(index, exact, before + last);
    if (independent) {
      double rounded = Rounding.round(gradient.dtype(), exact) - exact;
      gradient.count(variance[at], unit * unit / 6 * exact * exact, rounded, float32);
    }
  }
}

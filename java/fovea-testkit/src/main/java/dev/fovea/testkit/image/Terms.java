package dev.fovea.testkit.image;

import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Sigmoid;

/**
 * Sums of terms with the error that a right float32 kernel may make of each: that of what its terms
 * are of, that of summing them, and two roundings of a term. (Higham, Accuracy and Stability of
 * Numerical Algorithms, sec. 4.2.)
 */
final class Terms {

  final double[] value;
  private final double[] absolute;
  private final double[] inherited;
  private final long[] count;

  /** Sums of zero terms. */
  Terms(int sums) {
    value = new double[sums];
    absolute = new double[sums];
    inherited = new double[sums];
    count = new long[sums];
  }

  /** A term that is exact but for its own rounding. */
  void add(int i, double term) {
    add(i, term, 0);
  }

  /** A term, and what it may be off by before it rounds. */
  void add(int i, double term, double error) {
    value[i] += term;
    absolute[i] += Math.abs(term);
    inherited[i] += error;
    count[i]++;
  }

  /** What a sum may be off by. */
  double error(int i, ImageCase c) {
    return inherited[i] + (c.summation(count[i]) + 2 * Sigmoid.UNIT) * absolute[i];
  }

  /**
   * Says what an element of a gradient must be.
   *
   * @param before what the buffer held, if that is added to; or null
   */
  void expect(int i, ImageCase c, Expected out, int index, float[] before) {
    double exact = value[i] + (before == null ? 0 : before[index]);
    double added = before == null ? 0 : Sigmoid.UNIT * Math.abs(exact);
    expect(out, index, exact, error(i, c) + added + count[i] * Sigmoid.FLUSHED);
  }

  /** An element that float32 arithmetic gives but for {@code error}; free where nobody can say. */
  static void expect(Expected out, int index, double exact, double error) {
    if (Double.isNaN(error) && !Double.isNaN(exact)) {
      out.free(index, exact);
    } else {
      out.expectRounded(index, exact, error);
    }
  }
}

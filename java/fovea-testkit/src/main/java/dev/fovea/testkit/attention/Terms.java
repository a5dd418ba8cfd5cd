package dev.fovea.testkit.attention;

/**
 * Coefficients of the visible keys of a row, as they multiply other rows in sums.
 *
 * @param value exact
 * @param arithmetic bound of the float32 error
 * @param rounding bound of what rounding for a product adds, 0 unless set
 * @param variance of that
 */
record Terms(double[] value, double[] arithmetic, double[] rounding, double[] variance) {

  Terms(int keys) {
    this(new double[keys], new double[keys], new double[keys], new double[keys]);
  }

  void set(int j, double exact, double error) {
    value[j] = exact;
    arithmetic[j] = error;
  }

  void rounded(int j, double bound, double squares) {
    rounding[j] = bound;
    variance[j] = squares;
  }

  /** The largest size that the computed term may have. */
  double size(int j) {
    return Math.abs(value[j]) + arithmetic[j];
  }
}

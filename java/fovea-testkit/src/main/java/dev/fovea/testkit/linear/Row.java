package dev.fovea.testkit.linear;

/**
 * Numbers, each with the bound of its error.
 *
 * @param value exact
 * @param error how far a right kernel's may be
 */
record Row(double[] value, double[] error) {

  /** Zeros. */
  Row(int width) {
    this(new double[width], new double[width]);
  }

  int width() {
    return value.length;
  }

  void set(int i, double exact, double bound) {
    value[i] = exact;
    error[i] = bound;
  }

  /** The sum of the sizes of the terms of a product with another. */
  static double sizes(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] * b[i]);
    }
    return sum;
  }

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  static double norm(double[] a) {
    return Math.sqrt(dot(a, a));
  }
}

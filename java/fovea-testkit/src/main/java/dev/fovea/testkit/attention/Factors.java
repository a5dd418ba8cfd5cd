package dev.fovea.testkit.attention;

/**
 * Factors of products, with their sizes as tensor cores align them: those of float16 have no
 * exponent below that of the smallest normal number, see {@link Oracle}.
 *
 * @param value exact
 * @param size |value|, or {@code least} where that is larger and the value is not 0
 */
record Factors(double[] value, double[] size, double least) {

  Factors(int count, double least) {
    this(new double[count], new double[count], least);
  }

  void set(int at, double x) {
    set(at, x, 1);
  }

  /** Sets a factor times a scale that is multiplied in afterwards. */
  void set(int at, double x, double scale) {
    value[at] = scale * x;
    size[at] = x == 0 ? 0 : Math.abs(scale) * Math.max(Math.abs(x), least);
  }
}

package dev.fovea.testkit.optimizer;

/**
 * A number that float32 arithmetic computes: what it is exactly, and how far from that the computed
 * one may be. With u = 2^-24, an operation on computed numbers gives its exact result on them times
 * 1 + d, |d| at most u, or, below the normal numbers, off by at most 2^-150; what the numbers
 * themselves are off comes first. Float64 holds exact values to 2^-29 of u, which u has room for.
 *
 * @param value exact
 * @param error of the computed one at most, 0 for an infinity and a NaN; infinite where that may be
 *     anything, since something overflowed or was divided by what may be 0
 */
record Tracked(double value, double error) {

  private static final double UNIT = 0x1p-24 * (1 + 0x1p-20);
  private static final double SUBNORMAL = 0x1p-150;

  /** A float32 number. */
  static Tracked of(float value) {
    return new Tracked(value, 0);
  }

  private static Tracked anything(double value) {
    return new Tracked(value, Double.POSITIVE_INFINITY);
  }

  private boolean isAnything() {
    return Double.isInfinite(error);
  }

  /** Of a result that is off by {@code error} before it is rounded. */
  private static Tracked rounded(double value, double error) {
    if (Double.isInfinite(error)) {
      return anything(value);
    }
    if (!Double.isFinite(value)) {
      return new Tracked(value, 0);
    }
    double most = Math.abs(value) + error;
    return most * (1 + UNIT) < Float.MAX_VALUE
        ? new Tracked(value, error + UNIT * most + SUBNORMAL)
        : anything(value);
  }

  Tracked plus(Tracked other) {
    return rounded(value + other.value, error + other.error);
  }

  Tracked minus(Tracked other) {
    return rounded(value - other.value, error + other.error);
  }

  /** Whether the computed one has the sign of the exact one, or is the same zero. */
  private boolean hasSign() {
    return error == 0 || Math.abs(value) > error;
  }

  /** Whether what comes of both is no rounding: an infinity or a NaN is one of them. */
  private boolean isSpecial(Tracked other) {
    return !Double.isFinite(value) || !Double.isFinite(other.value);
  }

  /** Of a product or quotient of such: exact, unless the sign of one may be any. */
  private Tracked special(Tracked other, double result) {
    boolean isNaN = Double.isNaN(value) || Double.isNaN(other.value);
    return isNaN || hasSign() && other.hasSign() ? new Tracked(result, 0) : anything(result);
  }

  Tracked times(Tracked other) {
    double product = value * other.value;
    if (isAnything() || other.isAnything()) {
      return anything(product);
    }
    if (isSpecial(other)) {
      return special(other, product);
    }
    return rounded(
        product,
        Math.abs(value) * other.error + Math.abs(other.value) * error + error * other.error);
  }

  Tracked over(Tracked other) {
    double quotient = value / other.value;
    if (isAnything() || other.isAnything()) {
      return anything(quotient);
    }
    if (isSpecial(other) || other.value == 0 || !other.hasSign()) {
      return special(other, quotient);
    }
    double off = error + Math.abs(quotient) * other.error;
    return rounded(quotient, off / (Math.abs(other.value) - other.error));
  }

  /** Of what is 0 or more, computed too. */
  Tracked root() {
    double root = Math.sqrt(value);
    if (error == 0 || isAnything()) {
      return rounded(root, error);
    }
    double below = root - Math.sqrt(Math.max(0, value - error));
    return rounded(root, Math.max(below, Math.sqrt(value + error) - root));
  }

  /** 1, -1, or what it is where that is neither; any of them where it may be either. */
  Tracked sign() {
    double sign = Math.signum(value);
    return isAnything()
        ? anything(sign)
        : new Tracked(sign, error == 0 || Math.abs(value) > error ? 0 : 2);
  }
}

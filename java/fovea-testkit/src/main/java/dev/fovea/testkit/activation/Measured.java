package dev.fovea.testkit.activation;

import dev.fovea.testkit.Sigmoid;

/**
 * An exact number and what a right float32 kernel may be off by. Each operation of a kernel rounds
 * once, to u = 2^-24 of what it gives; what is below the normal numbers, to the next of those.
 *
 * @param error infinite where nothing can be said: a kernel may have 0 times an infinity, or an
 *     infinity, where this is finite
 */
record Measured(double value, double error) {

  private static final double LEAST = 0x1p-149;

  /** What a kernel was given. */
  static Measured exact(double value) {
    return new Measured(value, 0);
  }

  /** One that is off by {@code error}, then rounded. */
  static Measured rounded(double value, double error) {
    if (Double.isNaN(value)) {
      return exact(value);
    }
    boolean beyond = Math.abs(value) + error > Float.MAX_VALUE;
    if (beyond && Double.isFinite(value)) {
      return new Measured(value, Double.POSITIVE_INFINITY);
    }
    return Double.isInfinite(value)
        ? new Measured(value, error)
        : new Measured(value, error + Sigmoid.UNIT * (Math.abs(value) + error) + LEAST);
  }

  Measured plus(Measured other) {
    return rounded(value + other.value, error + other.error);
  }

  /** What may be 0 in a kernel may be NaN times an infinity, or anything. */
  Measured times(Measured other) {
    double product = value * other.value;
    if (Double.isNaN(value) || Double.isNaN(other.value)) {
      return exact(product);
    }
    if (Double.isInfinite(error)
        || Double.isInfinite(other.error)
        || Double.isInfinite(value) && other.mayBeZero()
        || Double.isInfinite(other.value) && mayBeZero()) {
      return new Measured(product, Double.POSITIVE_INFINITY);
    }
    if (Double.isInfinite(product)) {
      return new Measured(product, 0);
    }
    double off =
        times(Math.abs(value), other.error)
            + times(Math.abs(other.value), error)
            + times(error, other.error);
    return rounded(product, off);
  }

  private boolean mayBeZero() {
    return error > 0 && Math.abs(value) <= error;
  }

  /** No error is none, whatever it is of. */
  private static double times(double size, double error) {
    return size == 0 || error == 0 ? 0 : size * error;
  }
}

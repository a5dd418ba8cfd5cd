package dev.fovea.testkit;

/**
 * A gate in float64, with the error that a right float32 kernel may make: sigmoid(z) = e / (1 + e)
 * with e = exp(z), or 1 / (1 + exp(-z)).
 *
 * <p>z errs by a given bound, and so the gate by no more than at either end of that interval. The
 * power rounds its argument, times log2(e), twice, and has 4e-7 of its own, some seven roundings: a
 * relative error of 2 u |z| + 4e-7, of which the gate has the share 1 - gate. Sum and quotient
 * round: 3 u. What is not a normal float32 may be flushed.
 */
public final class Sigmoid {

  /** Unit roundoff of float32. */
  public static final double UNIT = 0x1p-24;

  /** What a float32 that is not normal may be flushed by. */
  public static final double FLUSHED = 0x1p-125;

  private static final double POWER = 4e-7;

  private Sigmoid() {}

  public static double of(double z) {
    return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
  }

  /** What the gate may be off by where z is by {@code error}. */
  public static double error(double z, double error) {
    double gate = of(z);
    if (Double.isInfinite(z)) {
      return 0;
    }
    double moved = Math.max(of(z + error) - gate, gate - of(z - error));
    double relative = (of(-z)) * (2 * UNIT * Math.abs(z) + POWER) + 3 * UNIT;
    return moved + gate * relative + FLUSHED;
  }

  /** The gradient of z: {@code s} gate (1 - gate). */
  public static double gradient(double s, double z) {
    return s * (of(z) * of(-z));
  }

  /** What that may be off by where s and z are by their errors, gate and 1 - gate rounded apart. */
  public static double gradientError(double s, double sError, double z, double zError) {
    double gate = of(z);
    double gateError = error(z, zError);
    double slope = gate * of(-z);
    double slopeError = Math.abs(1 - 2 * gate) * gateError + gateError * gateError + UNIT * gate;
    return Math.abs(s) * (slopeError + 3 * UNIT * slope) + sError * (slope + slopeError) + FLUSHED;
  }
}

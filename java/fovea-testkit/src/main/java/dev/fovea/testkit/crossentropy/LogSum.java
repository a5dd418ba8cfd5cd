package dev.fovea.testkit.crossentropy;

/**
 * The logarithm of the sum of exponentials of a row, in float64, with the error that a right kernel
 * may make.
 *
 * <p>With u = 2^-24, t_v = x_v - max and weights p_v = exp(t_v) / sum_u exp(t_u), a kernel that
 * adds up powers of what it subtracts a reference from errs in its sum, relatively:
 *
 * <ul>
 *   <li>By 2^-22 for each power that a term is a product of: one of its own; those of raised
 *       references, each of which is 5 above the one before it, so that what more than three of
 *       them are in is too little to count; those of a warp and of a block that add up their
 *       threads.
 *   <li>By 2 u for each unit of the exponents, the subtraction's rounding and the factor's. A
 *       reference is at most the largest, and a term at most 5 above its own: |t_v| + 10 in all.
 *   <li>By u for each addition that a term goes through: 48 and one for each 256 classes.
 * </ul>
 *
 * <p>The logarithm then errs by 2^-22 of itself, relative to the reference, or of 1.
 */
final class LogSum {

  private static final double UNIT = 0x1p-24;
  private static final double POWER = 0x1p-22;
  private static final int POWERS = 6;
  private static final double ABOVE = 5;

  private final double lse;
  private final double error;

  /** Of a row that is not ignored. */
  LogSum(CrossEntropyCase c, Operands data, int b, int s) {
    float[] logits = data.get("logits");
    int at = c.rowAt("logits", b, s);
    int classes = c.sizes().classes();
    double most = Double.NEGATIVE_INFINITY;
    boolean number = true;
    for (int v = 0; v < classes; v++) {
      most = Math.max(most, logits[at + v]);
      number &= !Float.isNaN(logits[at + v]) && logits[at + v] != Float.POSITIVE_INFINITY;
    }
    if (!number || most == Double.NEGATIVE_INFINITY) {
      lse = number ? most : Double.NaN;
      error = 0;
      return;
    }
    double sum = 0;
    double distances = 0;
    for (int v = 0; v < classes; v++) {
      double power = Math.exp(logits[at + v] - most);
      sum += power;
      distances += power == 0 ? 0 : power * (most - logits[at + v]);
    }
    double log = Math.log(sum);
    lse = most + log;
    double relative =
        POWERS * POWER + 2 * UNIT * (distances / sum + 2 * ABOVE) + UNIT * (48 + classes / 256.0);
    error = relative + POWER * Math.max(1, log + ABOVE);
  }

  /** NaN for a row with a NaN or +infinity, -infinity for one of -infinity alone. */
  double lse() {
    return lse;
  }

  /** Before it is added to the reference. */
  double error() {
    return error;
  }
}

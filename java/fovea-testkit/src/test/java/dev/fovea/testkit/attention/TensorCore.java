package dev.fovea.testkit.attention;

/**
 * How tensor cores add products, emulated: see {@link Oracle}.
 *
 * <p>Compute capability 8.0 and 9.0, 16-bit factors or TF32; and e4m3 on 9.0.
 */
enum TensorCore {
  AMPERE(8, 24, 23),
  HOPPER(16, 25, 23),
  HOPPER_FLOAT8(32, 13, 13);

  private static final int NOTHING = -10_000;

  /** Products of a step of the widest factors that it is for. */
  final int step;

  private final int bits; // behind the first of the largest term that are kept of all
  private final int sumBits; // behind the first of a sum

  TensorCore(int step, int bits, int sumBits) {
    this.step = step;
    this.bits = bits;
    this.sumBits = sumBits;
  }

  /** The sum of {@code sum} and a[k] b[k], in steps of {@code step} products. */
  float add(float sum, float[] a, float[] b, int step) {
    return add(sum, a, b, step, Float.MIN_EXPONENT);
  }

  /** Factors have no exponent below {@code least}. */
  float add(float sum, float[] a, float[] b, int step, int least) {
    for (int first = 0; first < a.length; first += step) {
      sum = addStep(sum, a, b, first, Math.min(first + step, a.length), least);
    }
    return sum;
  }

  private float addStep(float sum, float[] a, float[] b, int first, int end, int least) {
    int largest = sum == 0 ? NOTHING : Math.getExponent(sum);
    for (int k = first; k < end; k++) {
      if (a[k] * b[k] != 0) {
        int ofA = Math.max(Math.getExponent(a[k]), least);
        largest = Math.max(largest, ofA + Math.max(Math.getExponent(b[k]), least));
      }
    }
    if (largest == NOTHING) {
      return 0;
    }
    double steps = Math.scalb(1.0, bits - largest);
    long total = (long) (sum * steps); // toward zero
    for (int k = first; k < end; k++) {
      total += (long) ((double) a[k] * b[k] * steps);
    }
    if (total == 0) {
      return 0;
    }
    int beyond = Math.getExponent((double) total) - sumBits;
    long kept = beyond <= 0 ? total : total / (1L << beyond) * (1L << beyond);
    return (float) (kept / steps);
  }
}

package dev.fovea;

/**
 * Conversions of bfloat16, which the JDK lacks; for binary16 it has {@link Float#float16ToFloat}.
 */
final class BFloat16 {
  private static final int QUIET = 0x40;
  private static final int INFINITY = 0x7f800000; // as bits of a float

  private BFloat16() {}

  static float toFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN and becomes quiet. */
  static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      // The payload may lie in the lower half alone, and infinity must not come of it.
      return (short) (bits >>> 16 | QUIET);
    }
    int odd = bits >>> 16 & 1;
    return (short) (bits + 0x7fff + odd >>> 16);
  }

  /** As {@link #toFloat}, to the bits of floats. */
  static void toFloatBits(short[] from, int[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = from[i] << 16;
    }
  }

  /** As {@link #fromFloat}, from the bits of floats, which this changes. */
  static void fromFloatBits(int[] from, short[] to, int n) {
    // Without branches, and in two loops: C2 vectorises the first.
    for (int i = 0; i < n; i++) {
      int bits = from[i];
      int nan = INFINITY - (bits & Integer.MAX_VALUE) >> 31; // all ones, or none
      int rounded = bits + 0x7fff + (bits >>> 16 & 1);
      int quiet = bits | QUIET << 16;
      from[i] = (rounded & ~nan | quiet & nan) >>> 16;
    }
    for (int i = 0; i < n; i++) {
      to[i] = (short) from[i];
    }
  }
}

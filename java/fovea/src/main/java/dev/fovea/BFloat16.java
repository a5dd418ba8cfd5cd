package dev.fovea;

/**
 * Conversions of bfloat16, which the JDK lacks; for binary16 it has {@link Float#float16ToFloat}.
 */
final class BFloat16 {
  private static final int QUIET = 0x40;

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
}

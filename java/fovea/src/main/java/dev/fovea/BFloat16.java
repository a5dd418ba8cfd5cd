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

  /**
   * As {@link #fromFloat}, of floats given as their bits: leaves the results in the upper halves.
   * Without branches in the loops, so that C2 vectorises them.
   */
  static void round(int[] floats, int n) {
    int largest = 0;
    for (int i = 0; i < n; i++) {
      largest = Math.max(largest, floats[i] & Integer.MAX_VALUE);
    }
    if (largest > INFINITY) {
      roundWithNaN(floats, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      floats[i] += 0x7fff + (floats[i] >>> 16 & 1);
    }
  }

  private static void roundWithNaN(int[] floats, int n) {
    for (int i = 0; i < n; i++) {
      int bits = floats[i];
      int nan = INFINITY - (bits & Integer.MAX_VALUE) >> 31; // all ones, or none
      int rounded = bits + 0x7fff + (bits >>> 16 & 1);
      int quiet = bits | QUIET << 16;
      floats[i] = rounded & ~nan | quiet & nan;
    }
  }

  // C2 does not vectorise loops that narrow to 16 bits or widen from there, but does so from 64 to
  // 32 bits and back: two at a time, then. In either byte order the first one is where it was.

  /** Of two floats in a long, the upper halves in an int. */
  static void pack(long[] floats, int[] halves, int pairs) {
    for (int i = 0; i < pairs; i++) {
      long two = floats[i];
      halves[i] = (int) (two >>> 16 & 0xffffL | two >>> 32 & 0xffff_0000L);
    }
  }

  /** Undoes {@link #pack}. */
  static void unpack(int[] halves, long[] floats, int pairs) {
    for (int i = 0; i < pairs; i++) {
      long two = halves[i];
      floats[i] = two << 16 & 0xffff_0000L | two << 32 & 0xffff_0000_0000_0000L;
    }
  }
}

package dev.fovea.cli.bench;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/**
 * Softmax of matrix rows, in place, by loops that the compiler vectorises: for the unfused peer,
 * which deserves a good one. Not thread-safe.
 */
final class Softmax {

  private static final float LOG2_E = 1.44269504f;

  /** Below this exp2 is not a normal float; such weights become 2^-126, which nobody can tell. */
  private static final float SMALLEST = -126;

  /** Adding and subtracting it rounds to a whole number. */
  private static final float ROUNDER = 0x1.8p23f;

  private final float[] row;
  private final float[] whole;
  private final int[] exponents;
  private final float[] powers;

  /** For rows of at most {@code width} values. */
  Softmax(int width) {
    row = new float[width];
    whole = new float[width];
    exponents = new int[width];
    powers = new float[width];
  }

  /** Turns the first {@code visible} values of a row into weights and the rest into zeros. */
  void apply(MemorySegment matrix, long offset, int visible, int width) {
    MemorySegment.copy(matrix, JAVA_FLOAT, offset, row, 0, visible);
    float max = max(row, visible);
    shift(row, max, visible);
    exp2(row, whole, visible);
    exponents(whole, exponents, visible);
    MemorySegment.copy(
        MemorySegment.ofArray(exponents),
        0,
        MemorySegment.ofArray(powers),
        0,
        (long) visible * Float.BYTES);
    multiply(row, powers, visible);
    scale(row, 1 / sum(row, visible), visible);
    MemorySegment.copy(row, 0, matrix, JAVA_FLOAT, offset, visible);
    matrix
        .asSlice(offset + (long) visible * Float.BYTES, (long) (width - visible) * Float.BYTES)
        .fill((byte) 0);
  }

  private static float max(float[] x, int n) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      max = Math.max(max, x[i]);
    }
    return max;
  }

  private static void shift(float[] x, float max, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = Math.max(SMALLEST, (x[i] - max) * LOG2_E);
    }
  }

  /** 2^x without its exponent, which is left in {@code whole}. */
  private static void exp2(float[] x, float[] whole, int n) {
    for (int i = 0; i < n; i++) {
      float w = (x[i] + ROUNDER) - ROUNDER;
      float f = x[i] - w;
      whole[i] = w;
      x[i] =
          Math.fma(
              Math.fma(
                  Math.fma(
                      Math.fma(Math.fma(0.0013333558f, f, 0.009618129f), f, 0.05550411f),
                      f,
                      0.2402265f),
                  f,
                  0.6931472f),
              f,
              1f);
    }
  }

  private static void exponents(float[] whole, int[] bits, int n) {
    for (int i = 0; i < n; i++) {
      bits[i] = ((int) whole[i] + 127) << 23;
    }
  }

  private static void multiply(float[] x, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      x[i] *= y[i];
    }
  }

  private static void scale(float[] x, float factor, int n) {
    for (int i = 0; i < n; i++) {
      x[i] *= factor;
    }
  }

  /** Four sums at a time: one would wait for each addition. */
  private static float sum(float[] x, int n) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int i = 0;
    for (; i + 4 <= n; i += 4) {
      a += x[i];
      b += x[i + 1];
      c += x[i + 2];
      d += x[i + 3];
    }
    for (; i < n; i++) {
      a += x[i];
    }
    return (a + b) + (c + d);
  }
}

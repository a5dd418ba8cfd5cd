package dev.fovea.cli.encoder;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.fovea.cli.encoder.EncoderWeights.Norm;
import java.lang.foreign.MemorySegment;

/**
 * What the encoder does between matrix products, row by row and in place.
 *
 * <p>Every row passes through arrays that stay in the first-level cache: the compiler vectorises
 * simple loops over arrays, not over memory segments, and copying a row both ways costs a tenth of
 * what that saves. For the same reason long expressions are split into loops of few operations.
 *
 * <p>Not thread-safe: one instance for each thread.
 */
final class RowKernels {

  private static final float EPSILON = 1e-12f;

  // erf(v / sqrt 2) = v P(v^2) / Q(v^2) for |v| <= LIMIT, beyond which it rounds to +-1: a minimax
  // fit of degrees 5 and 5
  // with an error of 1.2e-8 before float rounding.
  private static final float LIMIT = 5.42f;
  private static final float P0 = 0.7978845238685608f;
  private static final float P1 = 0.06675951182842255f;
  private static final float P2 = 0.00930072646588087f;
  private static final float P3 = 0.00032852866570465267f;
  private static final float P4 = 1.269325912289787e-05f;
  private static final float P5 = 4.65957121775773e-08f;
  private static final float Q1 = 0.2503368556499481f;
  private static final float Q2 = 0.028380492702126503f;
  private static final float Q3 = 0.0018587394151836634f;
  private static final float Q4 = 7.231311610667035e-05f;
  private static final float Q5 = 1.2130145705668838e-06f;

  private final float[] row;
  private final float[] addend;
  private final float[] scratch;

  /** Kernels for rows of at most {@code width} values. */
  RowKernels(int width) {
    row = new float[width];
    addend = new float[width];
    scratch = new float[width];
  }

  /** Sets every one of the first {@code count} rows to {@code values}. */
  static void fill(MemorySegment rows, int count, float[] values) {
    long bytes = (long) values.length * Float.BYTES;
    for (int r = 0; r < count; r++) {
      MemorySegment.copy(values, 0, rows, JAVA_FLOAT, r * bytes, values.length);
    }
  }

  /**
   * {@code x = gelu(x + bias)} with gelu(v) = v/2 (1 + erf(v / sqrt 2)), for rows as long as the
   * part of {@code bias} that is theirs.
   */
  void gelu(MemorySegment rows, int count, float[] bias, int from, int to) {
    int n = to - from;
    // Several short rows at a time: a loop takes a while to get going.
    int together = Math.max(1, row.length / n);
    for (int r = 0; r < together; r++) {
      System.arraycopy(bias, from, addend, r * n, n);
    }
    for (int r = 0; r < count; r += together) {
      int values = Math.min(together, count - r) * n;
      long offset = (long) r * n * Float.BYTES;
      MemorySegment.copy(rows, JAVA_FLOAT, offset, row, 0, values);
      addAndClamp(row, addend, scratch, values);
      gelu(row, scratch, values);
      MemorySegment.copy(row, 0, rows, JAVA_FLOAT, offset, values);
    }
  }

  private static void addAndClamp(float[] x, float[] addend, float[] clamped, int n) {
    for (int i = 0; i < n; i++) {
      float v = x[i] + addend[i];
      x[i] = v;
      clamped[i] = Math.min(LIMIT, Math.abs(v));
    }
  }

  private static void gelu(float[] x, float[] clamped, int n) {
    for (int i = 0; i < n; i++) {
      float v = clamped[i];
      float t = v * v;
      float p =
          Math.fma(Math.fma(Math.fma(Math.fma(Math.fma(P5, t, P4), t, P3), t, P2), t, P1), t, P0);
      float q =
          Math.fma(Math.fma(Math.fma(Math.fma(Math.fma(Q5, t, Q4), t, Q3), t, Q2), t, Q1), t, 1f);
      // erf is odd: x erf(x) = |x| erf(|x|)
      x[i] = 0.5f * Math.fma(Math.abs(x[i]), v * p / q, x[i]);
    }
  }

  /** {@code to = layerNorm(x + bias)}, for every one of {@code to}. */
  void normalise(MemorySegment rows, int count, float[] bias, Norm norm, MemorySegment... to) {
    int n = bias.length;
    for (int r = 0; r < count; r++) {
      long offset = (long) r * n * Float.BYTES;
      MemorySegment.copy(rows, JAVA_FLOAT, offset, row, 0, n);
      normalise(n, bias, norm);
      for (MemorySegment target : to) {
        MemorySegment.copy(row, 0, target, JAVA_FLOAT, offset, n);
      }
    }
  }

  private void normalise(int n, float[] bias, Norm norm) {
    add(row, bias, n);
    float mean = sum(row, n) / n;
    subtractAndSquare(row, mean, scratch, n);
    float scale = (float) (1 / Math.sqrt(sum(scratch, n) / n + EPSILON));
    scaleAndShift(row, scale, norm.gain(), norm.shift(), n);
  }

  private static void add(float[] x, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      x[i] += y[i];
    }
  }

  private static void subtractAndSquare(float[] x, float mean, float[] squares, int n) {
    for (int i = 0; i < n; i++) {
      float d = x[i] - mean;
      x[i] = d;
      squares[i] = d * d;
    }
  }

  private static void scaleAndShift(float[] x, float scale, float[] gain, float[] shift, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = Math.fma(x[i] * scale, gain[i], shift[i]);
    }
  }

  /** The sum of {@code n} values, a multiple of 8. One running sum would wait for each addition. */
  private static float sum(float[] x, int n) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    float e = 0;
    float f = 0;
    float g = 0;
    float h = 0;
    for (int i = 0; i < n; i += 8) {
      a += x[i];
      b += x[i + 1];
      c += x[i + 2];
      d += x[i + 3];
      e += x[i + 4];
      f += x[i + 5];
      g += x[i + 6];
      h += x[i + 7];
    }
    return ((a + b) + (c + d)) + ((e + f) + (g + h));
  }

  /** {@code to = layerNorm(words + positions)} for one token. */
  void embed(
      MemorySegment words,
      long word,
      MemorySegment positions,
      long position,
      MemorySegment to,
      long index,
      Norm norm) {
    int n = norm.gain().length;
    long bytes = (long) n * Float.BYTES;
    MemorySegment.copy(words, JAVA_FLOAT, word * bytes, row, 0, n);
    MemorySegment.copy(positions, JAVA_FLOAT, position * bytes, addend, 0, n);
    normalise(n, addend, norm);
    MemorySegment.copy(row, 0, to, JAVA_FLOAT, index * bytes, n);
  }

  /** The mean of rows {@code from} to {@code to}, scaled to length 1. */
  float[] pool(MemorySegment rows, int from, int to, int n) {
    float[] mean = new float[n];
    for (int r = from; r < to; r++) {
      MemorySegment.copy(rows, JAVA_FLOAT, (long) r * n * Float.BYTES, row, 0, n);
      add(mean, row, n);
    }
    double squares = 0;
    for (float v : mean) {
      squares += (double) v * v;
    }
    // The division by the count cancels: only the direction is left.
    float scale = (float) (1 / Math.max(Math.sqrt(squares), 1e-12));
    for (int i = 0; i < n; i++) {
      mean[i] *= scale;
    }
    return mean;
  }
}

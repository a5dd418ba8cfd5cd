package dev.fovea.cli.encoder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.encoder.EncoderWeights.Norm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RowKernelsTest {

  /** erf by its Taylor series, in double. */
  private static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; n < 200; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    // The alternating series loses digits where its terms are large; there erf is nearly 1.
    return Math.abs(x) > 4.5 ? Math.signum(x) : 2 / Math.sqrt(Math.PI) * sum;
  }

  @Test
  void geluIsExact() {
    int n = 4096;
    float[] bias = new float[n];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate(n * 4L, 4);
      float[] x = new float[n];
      for (int i = 0; i < n; i++) {
        x[i] = (i - n / 2) * (16f / n);
        bias[i] = (i % 7) * 0.25f;
        row.setAtIndex(ValueLayout.JAVA_FLOAT, i, x[i] - bias[i]);
      }
      new RowKernels(n).gelu(row, 1, bias, 0, n);
      for (int i = 0; i < n; i++) {
        double exact = 0.5 * x[i] * (1 + erf(x[i] / Math.sqrt(2)));
        float got = row.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        assertEquals(exact, got, 2e-7 * (1 + Math.abs(x[i])), "gelu(" + x[i] + ")");
      }
    }
  }

  @Test
  void geluKeepsTheSpecial() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate(16, 4);
      row.setAtIndex(ValueLayout.JAVA_FLOAT, 0, Float.NaN);
      row.setAtIndex(ValueLayout.JAVA_FLOAT, 1, 1e30f);
      row.setAtIndex(ValueLayout.JAVA_FLOAT, 2, -1e30f);
      row.setAtIndex(ValueLayout.JAVA_FLOAT, 3, 0);
      new RowKernels(4).gelu(row, 1, new float[4], 0, 4);
      assertTrue(Float.isNaN(row.getAtIndex(ValueLayout.JAVA_FLOAT, 0)));
      assertEquals(1e30f, row.getAtIndex(ValueLayout.JAVA_FLOAT, 1));
      assertEquals(0, row.getAtIndex(ValueLayout.JAVA_FLOAT, 3));
    }
  }

  @Test
  void rowsTakeTheirPartOfTheBias() {
    float[] bias = {9, 1, 2, 3, 9};
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rows = arena.allocate(5 * 3 * 4L, 4);
      new RowKernels(8).gelu(rows, 5, bias, 1, 4); // two rows at a time, and one is left
      for (int i = 0; i < 15; i++) {
        double exact = 0.5 * (1 + i % 3) * (1 + erf((1 + i % 3) / Math.sqrt(2)));
        assertEquals(exact, rows.getAtIndex(ValueLayout.JAVA_FLOAT, i), 1e-6);
      }
    }
  }

  @Test
  void normalisesRows() {
    int n = 384;
    int rows = 3;
    Random random = new Random(1);
    float[] bias = new float[n];
    float[] gain = new float[n];
    float[] shift = new float[n];
    for (int i = 0; i < n; i++) {
      bias[i] = (float) random.nextGaussian();
      gain[i] = (float) random.nextGaussian();
      shift[i] = (float) random.nextGaussian();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate((long) rows * n * 4, 4);
      double[][] x = new double[rows][n];
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n; i++) {
          float v = (float) (10 + random.nextGaussian() * (r + 1));
          data.setAtIndex(ValueLayout.JAVA_FLOAT, (long) r * n + i, v);
          x[r][i] = v + bias[i];
        }
      }
      new RowKernels(n).normalise(data, rows, bias, new Norm(gain, shift), data);
      for (int r = 0; r < rows; r++) {
        double mean = java.util.Arrays.stream(x[r]).average().orElseThrow();
        double variance =
            java.util.Arrays.stream(x[r]).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
        for (int i = 0; i < n; i++) {
          double exact = (x[r][i] - mean) / Math.sqrt(variance) * gain[i] + shift[i];
          float got = data.getAtIndex(ValueLayout.JAVA_FLOAT, (long) r * n + i);
          assertEquals(exact, got, 2e-5);
        }
      }
    }
  }
}

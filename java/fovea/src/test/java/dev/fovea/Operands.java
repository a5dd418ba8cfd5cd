package dev.fovea;

import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;

/** Enough work for helpers: 2 Hq (D + Dv) Sq Sk = 16.8 MFLOP. */
record Operands(Tensor query, Tensor key, Tensor value, Tensor out) {
  static Operands in(Scope scope) {
    return of(
        scope.allocate(DType.FLOAT32, 1, 128, 4, 64),
        scope.allocate(DType.FLOAT32, 1, 128, 2, 64),
        scope.allocate(DType.FLOAT32, 1, 128, 2, 64),
        scope.allocate(DType.FLOAT32, 1, 128, 4, 64));
  }

  static Operands in(Arena arena) {
    long bytes = 128 * 4 * 64 * 4;
    return of(
        Tensor.of(arena.allocate(bytes, 64), DType.FLOAT32, 1, 128, 4, 64),
        Tensor.of(arena.allocate(bytes, 64), DType.FLOAT32, 1, 128, 2, 64),
        Tensor.of(arena.allocate(bytes, 64), DType.FLOAT32, 1, 128, 2, 64),
        Tensor.of(arena.allocate(bytes, 64), DType.FLOAT32, 1, 128, 4, 64));
  }

  private static Operands of(Tensor query, Tensor key, Tensor value, Tensor out) {
    Random random = new Random(1);
    for (Tensor tensor : List.of(query, key, value)) {
      float[] values = new float[(int) tensor.elements()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      tensor.copyFrom(values);
    }
    return new Operands(query, key, value, out.fill(Float.NaN));
  }

  AttentionCall call(Attention attention) {
    return attention.call(query, key, value).out(out);
  }

  /** float32 arithmetic would be as good; the testkit has the bounds that count. */
  float[] expected() {
    float[] out = new float[128 * 4 * 64];
    for (int i = 0; i < 128; i++) {
      for (int h = 0; h < 4; h++) {
        double[] x = new double[128];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < 128; j++) {
          for (int d = 0; d < 64; d++) {
            x[j] += query.getFloat(0, i, h, d) * (double) key.getFloat(0, j, h / 2, d) / 8;
          }
          max = Math.max(max, x[j]);
        }
        double sum = 0;
        for (int j = 0; j < 128; j++) {
          sum += x[j] = Math.exp(x[j] - max);
        }
        for (int d = 0; d < 64; d++) {
          double result = 0;
          for (int j = 0; j < 128; j++) {
            result += x[j] / sum * value.getFloat(0, j, h / 2, d);
          }
          out[(i * 4 + h) * 64 + d] = (float) result;
        }
      }
    }
    return out;
  }
}

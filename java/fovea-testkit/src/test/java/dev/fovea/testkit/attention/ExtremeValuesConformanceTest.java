package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.TestDevice;

/** What is finite has a finite result, the right one, however large or small it is. */
class ExtremeValuesConformanceTest {

  private static final int QUERIES = 17;
  private static final int DIM = 8;

  private static Tensor filled(Scope scope, TestDevice on, DType type, float x, long... shape) {
    return scope.allocate(type, shape).fill(x).on(on.device());
  }

  private static Tensor rows(Scope scope, TestDevice on, DType type, float... rows) {
    float[] values = new float[rows.length * DIM];
    for (int n = 0; n < values.length; n++) {
      values[n] = rows[n / DIM];
    }
    return scope.allocate(type, 1, rows.length, 1, DIM).copyFrom(values).on(on.device());
  }

  /** Beyond 2.3e38 a sink is infinite in units of log2. */
  @OnEveryDevice
  void sinksAsLargeAsFloatsAre(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (float sink : new float[] {3e38f, 1e38f, 1e9f, -1e9f, -3e38f}) {
        try (Scope scope = Scope.open()) {
          Tensor query = filled(scope, on, type, 0.5f, 1, QUERIES, 1, DIM);
          Tensor key = filled(scope, on, type, 0.25f, 1, 5, 1, DIM);
          Tensor lse = filled(scope, on, DType.FLOAT32, 0, 1, 1, QUERIES);
          Tensor sinks = filled(scope, on, DType.FLOAT32, sink, 1);
          Tensor dsinks = filled(scope, on, DType.FLOAT32, 7, 1);
          AttentionCall call = Attention.create().call(query, key, key).sinks(sinks).lse(lse);
          Tensor out = call.forward(scope);
          String what = type + ", sink " + sink;
          for (float x : out.toFloatArray()) {
            assertEquals(sink > 0 ? 0 : 0.25f, x, 1e-3f, what);
          }
          double score = DIM * 0.5 * 0.25 / Math.sqrt(DIM) + Math.log(5);
          double expected = sink > 0 ? sink : score;
          for (float x : lse.toFloatArray()) {
            assertEquals(expected, x, 1e-5 * Math.max(1, Math.abs(expected)), what);
          }
          Tensor dout = filled(scope, on, type, 1, 1, QUERIES, 1, DIM);
          AttentionGradients gradients = call.gradients(dout).dsinks(dsinks).backward(scope);
          for (float x : gradients.value().toFloatArray()) {
            assertEquals(sink > 0 ? 0 : QUERIES / 5f, x, 0.02f, what);
          }
          assertEquals(0, dsinks.toFloatArray()[0], 1e-6, what); // out is 0, or the weight
        }
      }
    }
  }

  /** Weights that are small because of the sink alone, to the least that float32 has. */
  @OnEveryDevice
  void sinksFarAboveTheScores(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (float sink : new float[] {10, 60, 70, 76, 79, 82, 86}) {
        try (Scope scope = Scope.open()) {
          Tensor query = filled(scope, on, type, 0, 1, QUERIES, 1, DIM);
          Tensor key = filled(scope, on, type, 1, 1, 5, 1, DIM);
          Tensor weights = filled(scope, on, DType.FLOAT32, 7, 1, 1, QUERIES, 5);
          AttentionCall call =
              Attention.builder().outDType(DType.FLOAT32).build().call(query, key, key);
          Tensor out =
              call.sinks(filled(scope, on, DType.FLOAT32, sink, 1)).weights(weights).forward(scope);
          String what = type + ", sink " + sink;
          double weight = 1 / (5 + Math.exp(sink));
          for (float x : weights.toFloatArray()) {
            assertEquals(1, x / weight, 1e-4, what);
          }
          for (float x : out.toFloatArray()) {
            assertEquals(5, x / weight, 1e-2, what);
          }
        }
      }
    }
  }

  /** Beside scores far below 0 those of keys that are not there, which may be 0, must not count. */
  @OnEveryDevice
  void scoresFarBelowThoseOfKeysThatAreNotThere(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {1, 4, QUERIES}) {
        for (int keys : new int[] {8, 40, 200}) {
          try (Scope scope = Scope.open()) {
            Tensor query = filled(scope, on, type, 100, 1, queries, 1, DIM);
            Tensor key = filled(scope, on, type, -100, 1, keys, 1, DIM);
            Tensor value = filled(scope, on, type, 0.25f, 1, keys, 1, DIM);
            for (float x : Attention.create().forward(scope, query, key, value).toFloatArray()) {
              assertEquals(0.25f, x, 1e-3f, type + ", " + queries + " queries, " + keys + " keys");
            }
          }
        }
      }
    }
  }

  /** What lies between rows, and behind the last of them, must not count. */
  @OnEveryDevice
  void whatLiesBetweenRows(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {1, 4, QUERIES}) {
        for (int dim : new int[] {8, 24, 40}) {
          try (Scope scope = Scope.open()) {
            Tensor query = filled(scope, on, type, 1, 1, queries, 1, dim);
            Tensor gaps = filled(scope, on, type, Float.NaN, 1, 50, 1, 64);
            Tensor rows = gaps.slice(3, 0, dim);
            rows.copyFrom(filled(scope, on, type, 0.25f, 1, 50, 1, dim));
            for (float x : Attention.create().forward(scope, query, rows, rows).toFloatArray()) {
              assertEquals(0.25f, x, 1e-3f, type + ", " + queries + " queries, head dim " + dim);
            }
          }
        }
      }
    }
  }

  /** The largest floats, of which a split into TF32 parts must not make infinities. */
  @OnEveryDevice
  void valuesAndKeysAsLargeAsFloatsAre(TestDevice on) {
    try (Scope scope = Scope.open()) {
      float largest = Float.MAX_VALUE;
      Tensor query = filled(scope, on, DType.FLOAT32, 0, 1, QUERIES, 1, DIM);
      Tensor key = rows(scope, on, DType.FLOAT32, largest, -largest);
      Tensor value = rows(scope, on, DType.FLOAT32, largest, 0);
      for (float x : Attention.create().forward(scope, query, key, value).toFloatArray()) {
        assertEquals(0.5f * largest, x, 1e-5f * largest);
      }
      query.fill(1e-38f);
      for (float x : Attention.create().forward(scope, query, key, value).toFloatArray()) {
        double weight = 1 / (1 + Math.exp(-2 * DIM * 1e-38 * largest / Math.sqrt(DIM)));
        assertEquals(weight * largest, x, 1e-5f * largest);
      }
    }
  }

  /** An infinity reaches what float32 arithmetic lets it reach: 1 * infinity has no part 0 * it. */
  @OnEveryDevice
  void infinitiesAreNoNaN(TestDevice on) {
    try (Scope scope = Scope.open()) {
      float infinity = Float.POSITIVE_INFINITY;
      Tensor query = filled(scope, on, DType.FLOAT32, 1, 1, QUERIES, 1, DIM);
      Tensor key = rows(scope, on, DType.FLOAT32, 0.5f, -infinity);
      Tensor value = rows(scope, on, DType.FLOAT32, 3, 4);
      for (float x : Attention.create().forward(scope, query, key, value).toFloatArray()) {
        assertEquals(3, x, 1e-5f); // the other key's score is -infinity
      }
      key.fill(0.5f);
      value = rows(scope, on, DType.FLOAT32, 3, infinity);
      for (float x : Attention.create().forward(scope, query, key, value).toFloatArray()) {
        assertEquals(infinity, x);
      }
    }
  }

  /** Scores of 1e9 and more, whose rounding in units of log2 is worth powers of two. */
  @OnEveryDevice
  void scoresOfAnySize(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (float size : new float[] {300, 2000, 30_000}) {
        for (int sign : new int[] {1, -1}) {
          assertScores(on, type, size, sign);
        }
      }
    }
  }

  private static void assertScores(TestDevice on, DType type, float size, int sign) {
    String what = type + ", factors of " + sign * size;
    float[] values = new float[100];
    for (int n = 0; n < values.length; n++) {
      values[n] = 1 + n % 2;
    }
    try (Scope scope = Scope.open()) {
      Attention attention = Attention.builder().scale(1).build();
      Tensor query = filled(scope, on, type, size, 1, QUERIES, 1, DIM);
      Tensor key = filled(scope, on, type, sign * size, 1, values.length, 1, DIM);
      Tensor value = rows(scope, on, type, values);
      Tensor lse = filled(scope, on, DType.FLOAT32, 0, 1, 1, QUERIES);
      AttentionCall call = attention.call(query, key, value).lse(lse);
      for (float x : call.forward(scope).toFloatArray()) {
        assertEquals(1.5f, x, 0.01f, what);
      }
      double rounded = query.getFloat(0, 0, 0, 0);
      double expected = DIM * rounded * rounded * sign;
      for (float x : lse.toFloatArray()) {
        assertEquals(expected, x, 1e-5 * Math.abs(expected), what);
      }
      Tensor dout = filled(scope, on, type, 1, 1, QUERIES, 1, DIM);
      AttentionGradients gradients = call.gradients(dout).backward(scope);
      for (float x : gradients.value().toFloatArray()) {
        assertEquals((float) QUERIES / values.length, x, 0.01f, what);
      }
    }
  }

  /** One key dominates, whose value is 0: what the others add is all there is. */
  @OnEveryDevice
  void weightsFarBelowTheLargest(TestDevice on) {
    int keys = 32_768;
    for (DType type : TestDevice.TYPES) {
      try (Scope scope = Scope.open()) {
        Tensor query = filled(scope, on, type, 1, 1, 1, 1, DIM);
        Tensor key = scope.allocate(type, 1, keys, 1, DIM);
        key.fill(-17.5f / DIM);
        // The last tile comes first.
        key.slice(1, keys - 1, keys).fill(0);
        Tensor value = scope.allocate(type, 1, keys, 1, DIM).fill(1);
        value.slice(1, keys - 1, keys).fill(0);
        Tensor out =
            Attention.builder()
                .scale(1)
                .outDType(DType.FLOAT32)
                .build()
                .forward(scope, query, key.on(on.device()), value.on(on.device()));
        double others = (keys - 1) * Math.exp(DIM * (double) key.getFloat(0, 0, 0, 0));
        double expected = others / (1 + others);
        for (float x : out.toFloatArray()) {
          assertEquals(expected, x, 0.01 * expected, type.toString());
        }
      }
    }
  }

  /** Score gradients of a million, whose sums are of ordinary size. */
  @OnEveryDevice
  void scoreGradientsBeyondFloat16(TestDevice on) {
    assertQueryGradients(on, 2, 3000, 100, 1e-3f);
  }

  /** Score gradients of 1e-7, each of which counts. */
  @OnEveryDevice
  void scoreGradientsBelowFloat16(TestDevice on) {
    assertQueryGradients(on, 4096, 1e-4f, 1, 1);
  }

  /** Keys of either sign, whose values have it too: they weigh alike, and all pull one way. */
  private static void assertQueryGradients(
      TestDevice on, int keys, float gradient, float value, float key) {
    float[] signs = new float[keys];
    for (int n = 0; n < keys; n++) {
      signs[n] = 1 - 2 * (n % 2);
    }
    for (DType type : TestDevice.TYPES) {
      for (boolean deterministic : new boolean[] {false, true}) {
        try (Scope scope = Scope.open()) {
          Tensor query = filled(scope, on, type, 0, 1, QUERIES, 1, DIM);
          Tensor lse = filled(scope, on, DType.FLOAT32, 0, 1, 1, QUERIES);
          AttentionCall call =
              Attention.create()
                  .call(
                      query,
                      scaled(scope, on, type, signs, key),
                      scaled(scope, on, type, signs, value))
                  .lse(lse);
          Tensor out = call.forward(scope);
          Tensor dout = filled(scope, on, type, gradient, 1, QUERIES, 1, DIM);
          Tensor dquery = filled(scope, on, DType.FLOAT32, 7, 1, QUERIES, 1, DIM);
          Tensor dkey = filled(scope, on, DType.FLOAT32, 7, 1, keys, 1, DIM);
          Tensor dvalue = filled(scope, on, DType.FLOAT32, 7, 1, keys, 1, DIM);
          call.gradients(dout, out, lse)
              .deterministic(deterministic)
              .dquery(dquery)
              .dkey(dkey)
              .dvalue(dvalue)
              .run();
          double exactKey = Rounding.round(type, key);
          double exactGradient = Rounding.round(type, gradient);
          double expected = DIM * exactGradient * value * exactKey / Math.sqrt(DIM);
          for (float x : dquery.toFloatArray()) {
            assertEquals(expected, x, 5e-3 * expected, type + " dquery");
          }
          double each = QUERIES * exactGradient / keys;
          for (float x : dvalue.toFloatArray()) {
            assertEquals(each, x, 5e-3 * each, type + " dvalue");
          }
          for (float x : dkey.toFloatArray()) {
            assertEquals(0, x);
          }
        }
      }
    }
  }

  private static Tensor scaled(Scope scope, TestDevice on, DType type, float[] rows, float factor) {
    float[] all = rows.clone();
    for (int n = 0; n < all.length; n++) {
      all[n] = Rounding.round(type, all[n] * factor);
    }
    return rows(scope, on, type, all);
  }
}

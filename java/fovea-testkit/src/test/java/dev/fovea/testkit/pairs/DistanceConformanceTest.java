package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.DistanceAttention;
import dev.fovea.DistanceCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;

/** What distance attention promises beyond the bounds of random cases. */
class DistanceConformanceTest {

  private static final int QUERIES = 41; // tiles of rows
  private static final int KEYS = 101;
  private static final int VALUE_DIM = 4;

  /** The results of both passes, one after the other. */
  private record Results(float[] out, float[] lse, float[] query, float[] key, float[] bandwidth) {}

  private static Tensor tensor(Scope scope, TestDevice on, DType type, float[] x, long... shape) {
    return scope.allocate(type, shape).copyFrom(x).on(on.device());
  }

  private static float[] drawn(int count, int seed, float offset) {
    Gaussian random = new Gaussian(seed);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = offset + Math.round(16 * random.nextNormal()) / 16f;
    }
    return x;
  }

  private static Results run(
      TestDevice on, int dim, float[] query, float[] key, float bandwidth, DType type) {
    try (Scope scope = Scope.open()) {
      float[] values = drawn(KEYS * VALUE_DIM, 3, 0);
      float[] douts = drawn(QUERIES * VALUE_DIM, 4, 0);
      Tensor lse = tensor(scope, on, DType.FLOAT32, new float[QUERIES], 1, 1, QUERIES);
      Tensor dbandwidth = tensor(scope, on, DType.FLOAT32, new float[1], 1);
      DistanceCall call =
          DistanceAttention.create()
              .call(
                  tensor(scope, on, type, query, 1, QUERIES, 1, dim),
                  tensor(scope, on, type, key, 1, KEYS, 1, dim),
                  tensor(scope, on, type, values, 1, KEYS, 1, VALUE_DIM),
                  tensor(scope, on, DType.FLOAT32, new float[] {bandwidth}, 1))
              .lse(lse);
      float[] out = call.forward(scope).toFloatArray();
      AttentionGradients gradients =
          call.gradients(tensor(scope, on, type, douts, 1, QUERIES, 1, VALUE_DIM))
              .dbandwidth(dbandwidth)
              .backward(scope);
      return new Results(
          out,
          lse.toFloatArray(),
          gradients.query().toFloatArray(),
          gradients.key().toFloatArray(),
          dbandwidth.toFloatArray());
    }
  }

  /** Differences that are exact either way give the same bits, one part of head_dim or several. */
  @OnEveryDevice
  void whatIsAddedToAllCancels(TestDevice on) {
    for (int dim : new int[] {3, 64, 130}) {
      float bandwidth = (float) Math.sqrt(dim);
      Results[] both = new Results[2];
      for (int i = 0; i < 2; i++) {
        float offset = 65536 * i;
        float[] query = drawn(QUERIES * dim, 1, offset);
        both[i] = run(on, dim, query, drawn(KEYS * dim, 2, offset), bandwidth, DType.FLOAT32);
      }
      assertArrayEquals(both[0].out, both[1].out);
      assertArrayEquals(both[0].lse, both[1].lse);
      assertArrayEquals(both[0].query, both[1].query);
      assertArrayEquals(both[0].key, both[1].key);
      assertArrayEquals(both[0].bandwidth, both[1].bandwidth);
    }
  }

  /**
   * Keys that are all alike weigh alike, however far they are: a backward that has nothing but lse
   * takes 1 or a power of two where a weight is 1 / KEYS.
   */
  @OnEveryDevice
  void keysThatAreAlikeWeighAlike(TestDevice on) {
    int dim = 8;
    for (DType type : TestDevice.TYPES) {
      for (float bandwidth : new float[] {1, 0.05f, 1e-3f, 1e-12f}) {
        float[] query = new float[QUERIES * dim];
        float[] key = new float[KEYS * dim];
        Arrays.fill(query, 3);
        Results results = run(on, dim, query, key, bandwidth, type);
        double x = -dim * 9 / (2.0 * bandwidth * bandwidth);
        float[] values = drawn(KEYS * VALUE_DIM, 3, 0);
        for (int d = 0; d < VALUE_DIM; d++) {
          double mean = 0;
          for (int j = 0; j < KEYS; j++) {
            mean += (double) values[j * VALUE_DIM + d] / KEYS;
          }
          assertEquals(mean, results.out[d], 0.01, type + " " + bandwidth);
        }
        for (float lse : results.lse) {
          assertEquals(x + Math.log(KEYS), lse, 1e-5 * Math.max(1, Math.abs(x)), type + " " + x);
        }
      }
    }
  }

  /** A bandwidth of 0 or NaN is no number of use, and says so. */
  @OnEveryDevice
  void withoutABandwidthNothingIsANumber(TestDevice on) {
    for (float bandwidth : new float[] {0, Float.NaN}) {
      float[] same = new float[QUERIES * 2];
      Results results = run(on, 2, same, new float[KEYS * 2], bandwidth, DType.FLOAT32);
      for (float x : results.out) {
        assertTrue(Float.isNaN(x), "bandwidth " + bandwidth + " gives " + x);
      }
    }
  }
}

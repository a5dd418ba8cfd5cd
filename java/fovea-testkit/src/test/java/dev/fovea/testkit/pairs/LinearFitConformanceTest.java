package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
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

/** What local linear fits of distance attention promise beyond the bounds of random cases. */
class LinearFitConformanceTest {

  private static final int QUERIES = 110; // tiles of rows
  private static final int KEYS = 150; // and of keys

  /** Queries, keys and values of one head, rows of D, D and 1, and the results of both passes. */
  private record Fit(TestDevice on, DistanceAttention attention, int dim, float bandwidth) {

    record Results(
        float[] out,
        float[] lse,
        float[] weights,
        float[] dquery,
        float[] dkey,
        float[] dvalue,
        float dbandwidth) {}

    /** Gradients are those of the sum of out. */
    Results of(float[] query, float[] key, float[] value) {
      int queries = query.length / dim;
      int keys = value.length;
      try (Scope scope = Scope.open()) {
        Tensor lse = tensor(scope, new float[queries], 1, 1, queries);
        Tensor weights = tensor(scope, new float[queries * keys], 1, 1, queries, keys);
        Tensor dbandwidth = tensor(scope, new float[1], 1);
        Tensor q = tensor(scope, query, 1, queries, 1, dim);
        Tensor k = tensor(scope, key, 1, keys, 1, dim);
        Tensor v = tensor(scope, value, 1, keys, 1, 1);
        Tensor h = tensor(scope, new float[] {bandwidth}, 1);
        DistanceCall call = attention.call(q, k, v, h).lse(lse).weights(weights);
        float[] out = call.forward(scope).toFloatArray();
        float[] ones = new float[queries];
        Arrays.fill(ones, 1);
        AttentionGradients gradients =
            call.gradients(tensor(scope, ones, 1, queries, 1, 1))
                .dbandwidth(dbandwidth)
                .backward(scope);
        return new Results(
            out,
            lse.toFloatArray(),
            weights.toFloatArray(),
            gradients.query().toFloatArray(),
            gradients.key().toFloatArray(),
            gradients.value().toFloatArray(),
            dbandwidth.toFloatArray()[0]);
      }
    }

    private Tensor tensor(Scope scope, float[] x, long... shape) {
      return scope.allocate(DType.FLOAT32, shape).copyFrom(x).on(on.device());
    }
  }

  private static Fit fit(TestDevice on, int dim, double bandwidth, double ridge) {
    DistanceAttention attention = DistanceAttention.builder().localLinear(ridge).build();
    return new Fit(on, attention, dim, (float) bandwidth);
  }

  /** Multiples of 1/16. */
  private static float[] drawn(int count, int seed) {
    Gaussian random = new Gaussian(seed);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = Math.round(16 * random.nextNormal()) / 16f;
    }
    return x;
  }

  /** 1 and what a vector along 1, -1/2, 1/3, … has of the slope. */
  private static float plane(float[] x, int row, int dim) {
    double sum = 1;
    for (int a = 0; a < dim; a++) {
      sum += slope(a) * x[row * dim + a];
    }
    return (float) sum;
  }

  private static double slope(int a) {
    return (a % 2 == 0 ? 1.0 : -1.0) / (a + 1);
  }

  /** Within the keys, at their edge and beyond; and what its gradients are then. */
  @OnEveryDevice
  void aPlaneIsReproduced(TestDevice on) {
    for (int dim : new int[] {1, 2, 3, 6, 16}) {
      float[] query = drawn(QUERIES * dim, 1);
      float[] key = drawn(KEYS * dim, 2);
      float[] value = new float[KEYS];
      for (int j = 0; j < KEYS; j++) {
        value[j] = plane(key, j, dim);
      }
      Fit.Results results = fit(on, dim, Math.sqrt(dim), 0).of(query, key, value);
      for (int i = 0; i < QUERIES; i++) {
        assertEquals(plane(query, i, dim), results.out[i], 2e-5, "query " + i + " of D " + dim);
        for (int a = 0; a < dim; a++) {
          assertEquals(slope(a), results.dquery[i * dim + a], 1e-3, "query " + i + " of D " + dim);
        }
      }
      for (int j = 0; j < KEYS; j++) {
        for (int a = 0; a < dim; a++) {
          // A key that moves, and its value stays.
          double exact = -results.dvalue[j] * slope(a);
          assertEquals(exact, results.dkey[j * dim + a], 2e-3, "key " + j + " of D " + dim);
        }
      }
      assertEquals(0, results.dbandwidth, 2e-2, "D " + dim);
    }
  }

  /** Of keys on a line it is a line's, level across it, however far from it a query is. */
  @OnEveryDevice
  void whereKeysDoNotVaryPlanesAreLevel(TestDevice on) {
    float[] key = new float[KEYS * 3];
    float[] value = new float[KEYS];
    for (int j = 0; j < KEYS; j++) {
      put(key, j, (j - 70) / 16f, 0);
      value[j] = 3 - (j - 70) / 8f;
    }
    float[] query = new float[QUERIES * 3];
    for (int i = 0; i < QUERIES; i++) {
      put(query, i, (i - 50) / 8f, i % 3 - 1);
    }
    for (double ridge : new double[] {0, 0x1p-20}) {
      Fit.Results results = fit(on, 3, 1.5, ridge).of(query, key, value);
      for (int i = 0; i < QUERIES; i++) {
        // Beyond the keys weights times values, 95 in sum, cancel to 12: weights are right to 2^-24
        // times the
        // largest exponent that counts, 24.
        assertEquals(3 - (i - 50) / 4f, results.out[i], 95 * 24 * 0x1p-24, "query " + i);
        for (int a = 0; a < 3; a++) {
          // The slope, -2, along a line on which |key|^2 is 6 t^2.
          double exact = -2 / 6.0 * (a == 2 ? -1 : a + 1);
          assertEquals(exact, results.dquery[3 * i + a], 1e-3, "query " + i);
        }
      }
    }
  }

  /** t (1, 2, -1), and across it (2, -1, 0). */
  private static void put(float[] to, int row, float t, float across) {
    to[3 * row] = t + 2 * across;
    to[3 * row + 1] = 2 * t - across;
    to[3 * row + 2] = -t;
  }

  @OnEveryDevice
  void fewerKeysThanDimensions(TestDevice on) {
    int dim = 8;
    float[] key = new float[3 * dim];
    key[dim] = 2;
    key[2 * dim + 1] = 3;
    float[] query = drawn(QUERIES * dim, 1);
    Fit.Results results = fit(on, dim, 2, 0).of(query, key, new float[] {1, 5, -2});
    for (int i = 0; i < QUERIES; i++) {
      float exact = 1 + 2 * query[i * dim] - query[i * dim + 1];
      assertEquals(exact, results.out[i], 1e-4, "query " + i);
    }
  }

  @OnEveryDevice
  void oneKeyIsAConstant(TestDevice on) {
    float[] query = drawn(QUERIES * 2, 1);
    Fit.Results results = fit(on, 2, 1, 0).of(query, new float[] {1, -2}, new float[] {7});
    float[] same = new float[QUERIES];
    Arrays.fill(same, 7);
    assertArrayEquals(same, results.out);
    assertArrayEquals(new float[2 * QUERIES], results.dquery);
    assertArrayEquals(new float[2], results.dkey);
    assertArrayEquals(new float[] {QUERIES}, results.dvalue);
    assertEquals(0, results.dbandwidth, 0);
  }

  @OnEveryDevice
  void keysThatAreAlikeAreAConstant(TestDevice on) {
    float[] query = drawn(QUERIES * 2, 1);
    float[] key = new float[KEYS * 2];
    Arrays.fill(key, 3);
    float[] value = drawn(KEYS, 2);
    double mean = 0;
    for (float v : value) {
      mean += (double) v / KEYS;
    }
    Fit.Results results = fit(on, 2, 0.3, 0).of(query, key, value);
    for (float out : results.out) {
      assertEquals(mean, out, 1e-6);
    }
  }

  /** Of more queries than keys the first see none, where masks are causal. */
  @OnEveryDevice
  void withoutAKeyThereIsNothing(TestDevice on) {
    DistanceAttention causal = DistanceAttention.builder().causal().localLinear(0).build();
    int keys = QUERIES - 9;
    float[] query = drawn(QUERIES * 2, 1);
    float[] value = drawn(keys, 3);
    Fit.Results results = new Fit(on, causal, 2, 1).of(query, drawn(keys * 2, 2), value);
    for (int i = 0; i < 9; i++) {
      assertEquals(0, results.out[i]);
      assertEquals(Float.NEGATIVE_INFINITY, results.lse[i]);
      assertEquals(0, results.dquery[2 * i]);
    }
    assertEquals(value[0], results.out[9]); // its own key alone
  }

  @OnEveryDevice
  void whatAllHaveInCommonCancels(TestDevice on) {
    for (int dim : new int[] {1, 5, 16}) {
      Fit.Results[] both = new Fit.Results[2];
      for (int i = 0; i < 2; i++) {
        float[] query = drawn(QUERIES * dim, 1);
        float[] key = drawn(KEYS * dim, 2);
        for (float[] x : new float[][] {query, key}) {
          for (int at = 0; at < x.length; at++) {
            x[at] += 65536 * i;
          }
        }
        both[i] = fit(on, dim, 1, 0x1p-10).of(query, key, drawn(KEYS, 3));
      }
      assertArrayEquals(both[0].out, both[1].out);
      assertArrayEquals(both[0].dquery, both[1].dquery);
      assertArrayEquals(both[0].dkey, both[1].dkey);
      assertArrayEquals(both[0].dvalue, both[1].dvalue);
      assertEquals(both[0].dbandwidth, both[1].dbandwidth);
    }
  }

  /** A great ridge leaves no slopes. Weights and lse are those before a fit. */
  @OnEveryDevice
  void besideAConstantFit(TestDevice on) {
    float[] query = drawn(QUERIES * 3, 1);
    float[] key = drawn(KEYS * 3, 2);
    float[] value = drawn(KEYS, 3);
    Fit.Results constant = new Fit(on, DistanceAttention.create(), 3, 0.5f).of(query, key, value);
    Fit.Results stiff = fit(on, 3, 0.5, 0x1p32).of(query, key, value);
    assertArrayEquals(constant.out, stiff.out, 1e-6f);
    assertArrayEquals(constant.dquery, stiff.dquery, 1e-4f);
    assertArrayEquals(constant.dvalue, stiff.dvalue, 1e-5f);
    Fit.Results linear = fit(on, 3, 0.5, 0).of(query, key, value);
    assertArrayEquals(constant.weights, linear.weights);
    assertArrayEquals(constant.lse, linear.lse);
    boolean differ = false;
    for (int i = 0; i < QUERIES; i++) {
      differ |= Math.abs(constant.out[i] - linear.out[i]) > 0.1;
    }
    assertTrue(differ);
  }

  @OnEveryDevice
  void manyColumnsAreRefused(TestDevice on) {
    on.device(); // skipped here where there is none, which is an exception, too
    float[] rows = new float[2 * 17];
    UnsupportedOperationException refused =
        assertThrows(
            UnsupportedOperationException.class,
            () -> fit(on, 17, 1, 0).of(rows, rows, new float[2]));
    String message = refused.getMessage();
    assertTrue(message.contains("is 17, and a linear fit"), message);
  }

  @OnEveryDevice
  void ridges(TestDevice on) {
    for (double ridge : new double[] {-1, 1e-12, 1e12, Double.NaN}) {
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class, () -> DistanceAttention.builder().localLinear(ridge));
      assertEquals("ridge is " + ridge + ", expected 0 or 2^-32 to 2^32", refused.getMessage());
    }
    // 0 is the least.
    float[] query = drawn(QUERIES * 2, 1);
    float[] key = drawn(6, 2);
    float[] value = drawn(3, 3);
    float[] none = fit(on, 2, 0.1, 0).of(query, key, value).out;
    assertArrayEquals(none, fit(on, 2, 0.1, 0x1p-32).of(query, key, value).out);
  }
}

package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.AdditiveAttention;
import dev.fovea.AdditiveCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;

/** Scores whose lse float32 rounds by more than their differences are worth. */
class LargeScoresConformanceTest {

  private static final int QUERIES = 41; // tiles of rows
  private static final int KEYS = 101;
  private static final int HEAD_DIM = 8;
  private static final int VALUE_DIM = 4;

  private static Tensor filled(Scope scope, TestDevice on, DType type, float x, long... shape) {
    return scope.allocate(type, shape).fill(x).on(on.device());
  }

  /**
   * Keys that are all alike weigh alike, however large their scores: a backward that has nothing
   * but lse takes 1 or a power of two where a weight is 1 / KEYS. From 2^100 on weights have no
   * power of two that scales them.
   */
  @OnEveryDevice
  void keysThatAreAlikeWeighAlike(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      for (float weight : new float[] {600, 1e6f, 1e9f, 1e29f, 1e31f}) {
        assertAlike(on, type, weight);
        assertAlike(on, type, -weight);
      }
    }
  }

  private static void assertAlike(TestDevice on, DType type, float weight) {
    String what = type + ", weight " + weight;
    try (Scope scope = Scope.open()) {
      // tanh is 1: scores are HEAD_DIM times the weight.
      Tensor query = filled(scope, on, type, 20, 1, QUERIES, 1, HEAD_DIM);
      Tensor key = filled(scope, on, type, 20, 1, KEYS, 1, HEAD_DIM);
      float[] values = new float[KEYS * VALUE_DIM];
      for (int n = 0; n < values.length; n++) {
        values[n] = n / VALUE_DIM % 2 == 0 ? 1 : 2;
      }
      Tensor value = scope.allocate(type, 1, KEYS, 1, VALUE_DIM).copyFrom(values).on(on.device());
      Tensor weights = filled(scope, on, DType.FLOAT32, weight, 1, HEAD_DIM);
      Tensor lse = filled(scope, on, DType.FLOAT32, 0, 1, 1, QUERIES);
      AdditiveCall call = AdditiveAttention.create().call(query, key, value, weights).lse(lse);
      for (float x : call.forward(scope).toFloatArray()) {
        assertEquals(1.5f, x, 0.01f, what);
      }
      double score = HEAD_DIM * (double) weight;
      for (float x : lse.toFloatArray()) {
        assertEquals(score + Math.log(KEYS), x, 1e-5 * Math.abs(score), what);
      }
      Tensor dout = filled(scope, on, type, 1, 1, QUERIES, 1, VALUE_DIM);
      AttentionGradients gradients = call.gradients(dout).backward(scope);
      for (float x : gradients.value().toFloatArray()) {
        assertEquals((float) QUERIES / KEYS, x, 0.01f, what);
      }
    }
  }
}

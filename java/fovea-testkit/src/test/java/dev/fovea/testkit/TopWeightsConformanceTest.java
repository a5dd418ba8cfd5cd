package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AdditiveAttention;
import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.DistanceAttention;
import dev.fovea.Scope;
import dev.fovea.SoftmaxCall;
import dev.fovea.Tensor;
import java.util.Arrays;

/** Lists of the largest weights, beyond what random cases hold to all the weights. */
class TopWeightsConformanceTest {

  private static final int QUERIES = 41; // tiles of rows
  private static final int KEYS = 150; // and of keys
  private static final int HEADS = 2;
  private static final int DIM = 24;

  private enum Mechanism {
    DOT,
    SHARED_DOT, // general kernels have tiles of their own for wide values
    ADDITIVE,
    DISTANCE
  }

  private static Tensor filled(Scope scope, TestDevice on, DType type, float... x) {
    return scope.allocate(type, x.length).copyFrom(x).on(on.device());
  }

  private static Tensor drawn(Scope scope, TestDevice on, DType type, int seed, long... shape) {
    Gaussian random = new Gaussian(seed);
    float[] x = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < x.length; i++) {
      x[i] = random.nextNormal();
    }
    return scope.allocate(type, shape).copyFrom(x).on(on.device());
  }

  private static SoftmaxCall<?> call(
      Mechanism mechanism, Scope scope, TestDevice on, DType type, Tensor key) {
    int valueDim = mechanism == Mechanism.SHARED_DOT ? 200 : DIM;
    Tensor query = drawn(scope, on, type, 1, 1, QUERIES, HEADS, DIM);
    Tensor value = drawn(scope, on, type, 3, 1, KEYS, 1, valueDim);
    return switch (mechanism) {
      case DOT, SHARED_DOT -> Attention.builder().causal().build().call(query, key, value);
      case ADDITIVE ->
          AdditiveAttention.builder()
              .causal()
              .build()
              .call(query, key, value, drawn(scope, on, DType.FLOAT32, 4, HEADS, DIM));
      case DISTANCE ->
          DistanceAttention.builder()
              .causal()
              .build()
              .call(query, key, value, filled(scope, on, DType.FLOAT32, 4, 5));
    };
  }

  private static Tensor keys(Scope scope, TestDevice on, DType type) {
    return drawn(scope, on, type, 2, 1, KEYS, 1, DIM);
  }

  private static Tensor floats(Scope scope, TestDevice on, int count) {
    return drawn(scope, on, DType.FLOAT32, 9, 1, HEADS, QUERIES, count);
  }

  private static Tensor ints(Scope scope, TestDevice on, int count) {
    Tensor host = scope.allocate(DType.INT32, 1, HEADS, QUERIES, count);
    return host.on(on.device());
  }

  @OnEveryDevice
  void aloneTheyAreThoseBesideAllWeights(TestDevice on) {
    for (Mechanism mechanism : Mechanism.values()) {
      for (DType type : TestDevice.TYPES) {
        int count = type == DType.FLOAT32 ? 7 : type == DType.FLOAT16 ? 1 : 128;
        try (Scope scope = Scope.open()) {
          SoftmaxCall<?> call = call(mechanism, scope, on, type, keys(scope, on, type));
          Tensor weights = floats(scope, on, count);
          Tensor keys = ints(scope, on, count);
          call.topWeights(weights, keys).forward(scope);
          float[] alone = weights.toFloatArray();
          int[] keysAlone = keys.toIntArray();
          Tensor all = floats(scope, on, KEYS);
          call.weights(all).forward(scope);
          String what = mechanism + " " + type + " " + count;
          assertArrayEquals(alone, weights.toFloatArray(), what);
          assertArrayEquals(keysAlone, keys.toIntArray(), what);
          assertEquals(largest(all), alone[0], what);
        }
      }
    }
  }

  /** Of the first row. */
  private static float largest(Tensor weights) {
    float most = 0;
    for (float x : Arrays.copyOf(weights.toFloatArray(), KEYS)) {
      most = Math.max(most, x);
    }
    return most;
  }

  /** Of equal weights the first keys have theirs listed, and what is not seen never is. */
  @OnEveryDevice
  void equalWeightsAreThoseOfTheFirstKeys(TestDevice on) {
    int count = 128;
    for (Mechanism mechanism : Mechanism.values()) {
      try (Scope scope = Scope.open()) {
        Tensor key = drawn(scope, on, DType.FLOAT32, 2, 1, 1, 1, DIM).expand(1, KEYS, 1, DIM);
        SoftmaxCall<?> call = call(mechanism, scope, on, DType.FLOAT32, key);
        Tensor weights = floats(scope, on, count);
        Tensor keys = ints(scope, on, count);
        call.topWeights(weights, keys).forward(scope);
        int[] found = keys.toIntArray();
        for (int row = 0; row < HEADS * QUERIES; row++) {
          int seen = KEYS - QUERIES + 1 + row % QUERIES;
          for (int k = 0; k < count; k++) {
            assertEquals(k < seen ? k : -1, found[row * count + k], mechanism + " row " + row);
          }
        }
      }
    }
  }

  @OnEveryDevice
  void refusesWhatHasNoList(TestDevice on) {
    for (Mechanism mechanism : Mechanism.values()) {
      try (Scope scope = Scope.open()) {
        SoftmaxCall<?> call =
            call(mechanism, scope, on, DType.FLOAT32, keys(scope, on, DType.FLOAT32));
        Tensor weights = floats(scope, on, 4);
        assertRefused("topWeights is given without topKeys", () -> call.topWeights(weights, null));
        assertRefused(
            "topKeys is given without topWeights", () -> call.topWeights(null, ints(scope, on, 4)));
        for (int count : new int[] {0, 129}) {
          call.topWeights(floats(scope, on, count), ints(scope, on, count));
          assertRefused("expected", () -> call.forward(scope));
        }
        call.topWeights(weights, ints(scope, on, 5));
        assertRefused("topKeys", () -> call.forward(scope));
        call.topWeights(weights, weights);
        assertRefused("INT32", () -> call.forward(scope));
        call.topWeights(null, null).forward(scope);
      }
    }
  }

  private static void assertRefused(String text, Runnable work) {
    String message = assertThrows(IllegalArgumentException.class, work::run).getMessage();
    assertTrue(message.contains(text), message);
  }
}

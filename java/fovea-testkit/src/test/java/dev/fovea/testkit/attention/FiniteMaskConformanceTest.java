package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;
import java.util.List;

/**
 * Rows whose every bias is a finite mask, as frameworks without -inf write it: the score itself is
 * lost in its rounding, so that the row attends to all its keys alike.
 */
class FiniteMaskConformanceTest {

  private static final int QUERIES = 16;
  private static final int KEYS = 5;

  private static float[] masks(float mask) {
    float[] masks = new float[QUERIES * KEYS];
    for (int n = 0; n < masks.length; n++) {
      masks[n] = mask * (1 + n / KEYS * 0.01f); // roundings depend on the digits
    }
    return masks;
  }

  /** A call whose values are all 0.25, and so its keys, those of distances included. */
  private static AttentionCall call(
      Scope scope, Device device, DType type, float[] masks, boolean positions) {
    Tensor query = scope.allocate(type, 1, QUERIES, 1, 8).fill(0.5f).on(device);
    Tensor key = scope.allocate(type, 1, KEYS, 1, 8).fill(0.25f).on(device);
    Tensor bias = scope.copyOf(masks, 1, 1, QUERIES, KEYS).on(device);
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, QUERIES).on(device);
    if (!positions) {
      return Attention.create().call(query, key, key).bias(bias).lse(lse);
    }
    Tensor queryBias = scope.allocate(DType.FLOAT32, 1, 8).fill(0.5f).on(device);
    Tensor distances = scope.allocate(type, QUERIES + KEYS - 1, 1, 8).fill(0.25f).on(device);
    Attention attention = Attention.builder().positionOrigin(QUERIES - 1).build();
    return attention
        .call(query, key, key)
        .contentBias(queryBias)
        .positionBias(queryBias)
        .positionKeys(distances)
        .bias(bias)
        .lse(lse);
  }

  private static void assertForward(
      TestDevice on, float[] masks, boolean positions, float weight, float out, String what) {
    for (DType type : TestDevice.TYPES) {
      try (Scope scope = Scope.open()) {
        Tensor weights = scope.allocate(DType.FLOAT32, 1, 1, QUERIES, KEYS).on(on.device());
        AttentionCall call = call(scope, on.device(), type, masks, positions).weights(weights);
        for (float x : call.forward(scope).toFloatArray()) {
          assertEquals(out, x, 1e-3f, type + " out under " + what);
        }
        for (float x : weights.toFloatArray()) {
          assertEquals(weight, x, 1e-6f, type + " weights under " + what);
        }
      }
    }
  }

  @OnEveryDevice
  void allKeysWeighAlike(TestDevice on) {
    for (float mask : new float[] {-1e8f, -1e9f, -1e10f, -1e30f, -1e38f}) {
      for (boolean positions : new boolean[] {false, true}) {
        assertForward(on, masks(mask), positions, 1f / KEYS, 0.25f, "masks near " + mask);
      }
    }
  }

  /** The smallest float overflows in units of log2. */
  @OnEveryDevice
  void theSmallestFloatMasks(TestDevice on) {
    float[] masks = new float[QUERIES * KEYS];
    Arrays.fill(masks, -Float.MAX_VALUE);
    assertForward(on, masks, false, 0, 0, "the smallest float");
    try (Scope scope = Scope.open()) {
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, QUERIES).on(on.device());
      call(scope, on.device(), DType.FLOAT32, masks, false).lse(lse).forward(scope);
      for (float x : lse.toFloatArray()) {
        assertEquals(Float.NEGATIVE_INFINITY, x);
      }
    }
  }

  /**
   * A float32 lse near -1e9 has lost the logarithm of the number of keys: weights taken from it
   * alone are 1, or what the rounding of score and lse makes of them, up to infinity.
   */
  @OnEveryDevice
  void gradientsAreThoseOfEqualWeights(TestDevice on) {
    for (float mask : new float[] {-1e4f, -1e6f, -1e8f, -1e9f, -1e10f, -1e30f, -1e38f, 1e9f}) {
      for (DType type : TestDevice.TYPES) {
        for (boolean deterministic : new boolean[] {false, true}) {
          assertGradients(on, type, masks(mask), false, deterministic);
        }
        assertGradients(on, type, masks(mask), true, true);
      }
    }
  }

  private static void assertGradients(
      TestDevice on, DType type, float[] masks, boolean positions, boolean deterministic) {
    try (Scope scope = Scope.open()) {
      AttentionCall call = call(scope, on.device(), type, masks, positions);
      call.forward(scope);
      Tensor dout = scope.allocate(type, 1, QUERIES, 1, 8).fill(1).on(on.device());
      Tensor dbias = scope.allocate(DType.FLOAT32, 1, 1, QUERIES, KEYS).on(on.device());
      AttentionGradients gradients =
          call.gradients(dout).deterministic(deterministic).dbias(dbias).backward(scope);
      String what = type + ", masks near " + masks[0] + ": ";
      float expected = (float) QUERIES / KEYS;
      for (float dvalue : gradients.value().toFloatArray()) {
        assertEquals(expected, dvalue, 0.01f * expected, what + "dvalue");
      }
      // All keys and values are equal: no score gains by another's loss.
      for (Tensor other : List.of(gradients.query(), gradients.key(), dbias)) {
        for (float x : other.toFloatArray()) {
          assertEquals(0, x, 1e-2f, what + "dquery, dkey or dbias");
        }
      }
    }
  }

  /** Gradients with lse of a forward over more keys than these: it stays what it was given. */
  @OnEveryDevice
  void anLseOfMoreKeysIsTaken(TestDevice on) {
    try (Scope scope = Scope.open()) {
      AttentionCall call = call(scope, on.device(), DType.FLOAT32, masks(-1e6f), false);
      Tensor out = call.forward(scope);
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, QUERIES).fill(-1e5f).on(on.device());
      Tensor dout = scope.allocate(DType.FLOAT32, 1, QUERIES, 1, 8).fill(1).on(on.device());
      AttentionGradients gradients = call.gradients(dout, out, lse).backward(scope);
      for (float dvalue : gradients.value().toFloatArray()) {
        assertEquals(0, dvalue);
      }
    }
  }
}

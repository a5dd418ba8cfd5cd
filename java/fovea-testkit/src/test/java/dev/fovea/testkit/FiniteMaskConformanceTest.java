package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
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

  /** A call whose values are all 0.25. */
  private static AttentionCall call(Scope scope, Device device, DType type, float[] masks) {
    Tensor query = scope.allocate(type, 1, QUERIES, 1, 8).fill(0.5f).on(device);
    Tensor key = scope.allocate(type, 1, KEYS, 1, 8).fill(0.25f).on(device);
    Tensor bias = scope.copyOf(masks, 1, 1, QUERIES, KEYS).on(device);
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, QUERIES).on(device);
    return Attention.create().call(query, key, key).bias(bias).lse(lse);
  }

  private static void assertForward(
      TestDevice on, float[] masks, float weight, float out, String what) {
    for (DType type : TestDevice.TYPES) {
      try (Scope scope = Scope.open()) {
        Tensor weights = scope.allocate(DType.FLOAT32, 1, 1, QUERIES, KEYS).on(on.device());
        AttentionCall call = call(scope, on.device(), type, masks).weights(weights);
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
      assertForward(on, masks(mask), 1f / KEYS, 0.25f, "masks near " + mask);
    }
  }

  /** The smallest float overflows in units of log2. */
  @OnEveryDevice
  void theSmallestFloatMasks(TestDevice on) {
    float[] masks = new float[QUERIES * KEYS];
    Arrays.fill(masks, -Float.MAX_VALUE);
    assertForward(on, masks, 0, 0, "the smallest float");
    try (Scope scope = Scope.open()) {
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, QUERIES).on(on.device());
      call(scope, on.device(), DType.FLOAT32, masks).lse(lse).forward(scope);
      for (float x : lse.toFloatArray()) {
        assertEquals(Float.NEGATIVE_INFINITY, x);
      }
    }
  }

  /** Weights are at most 1, though score and lse, both near -1e9, are rounded a hundred apart. */
  @OnEveryDevice
  void gradientsAreBounded(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      try (Scope scope = Scope.open()) {
        AttentionCall call = call(scope, on.device(), type, masks(-1e9f));
        call.forward(scope);
        for (float dout : new float[] {0, 1}) {
          Tensor given = scope.allocate(type, 1, QUERIES, 1, 8).fill(dout).on(on.device());
          AttentionGradients gradients = call.backward(given).gradients(scope);
          for (float dvalue : gradients.value().toFloatArray()) {
            assertTrue(dvalue >= 0 && dvalue <= QUERIES * dout, type + " dvalue " + dvalue);
          }
          for (Tensor other : List.of(gradients.query(), gradients.key())) {
            for (float x : other.toFloatArray()) {
              assertTrue(Math.abs(x) <= QUERIES * dout, type + " dquery or dkey " + x);
            }
          }
        }
      }
    }
  }
}

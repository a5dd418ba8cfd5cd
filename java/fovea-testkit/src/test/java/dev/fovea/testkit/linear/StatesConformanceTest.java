package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.LinearAttention;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.LinearCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import org.junit.jupiter.api.Test;

/** States go from call to call: a sequence in parts, down to single steps, is the whole. */
class StatesConformanceTest {

  private static final int B = 2;
  private static final int S = 37;
  private static final int HQ = 4;
  private static final int HK = 2;
  private static final int D = 24;
  private static final int DV = 40;

  private static Tensor random(Scope scope, long seed, double factor, long... shape) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextNormal() * factor);
    }
    return tensor.copyFrom(values);
  }

  /** Positions [from, to) of the second dimension. */
  private static Tensor part(Tensor tensor, int from, int to) {
    return tensor.slice(1, from, to);
  }

  private void inParts(TestDevice on, boolean normalised, boolean delta, int step) {
    LinearAttention attention =
        LinearAttention.builder()
            .causal(true)
            .normalised(normalised)
            .featureMap(normalised ? FeatureMap.ELU_PLUS_ONE : FeatureMap.IDENTITY)
            .build();
    try (Scope scope = Scope.open(on.device())) {
      Tensor query = random(scope, 1, 1, B, S, HQ, D);
      Tensor key = random(scope, 2, 0.2, B, S, HK, D);
      Tensor value = random(scope, 3, 1, B, S, HK, DV);
      Tensor decay = random(scope, 4, 0.1, B, S, HK);
      Tensor beta = random(scope, 5, 0.5, B, S, HK);
      LinearCall whole = attention.call(query, key, value).decay(decay);
      if (delta) {
        whole.beta(beta);
      }
      Tensor out = scope.allocate(DType.FLOAT32, B, S, HQ, DV);
      Tensor last = scope.allocate(DType.FLOAT32, B, HK, D, DV);
      Tensor lastSum = normalised ? scope.allocate(DType.FLOAT32, B, HK, D) : null;
      whole.out(out).finalState(last);
      if (normalised) {
        whole.finalSum(lastSum);
      }
      whole.run();
      Tensor state = null;
      Tensor sum = null;
      for (int from = 0; from < S; from += step) {
        int to = Math.min(S, from + step);
        LinearCall call =
            attention
                .call(part(query, from, to), part(key, from, to), part(value, from, to))
                .decay(part(decay, from, to))
                .initialState(state);
        if (delta) {
          call.beta(part(beta, from, to));
        }
        state = scope.allocate(DType.FLOAT32, B, HK, D, DV);
        call.finalState(state);
        if (normalised) {
          call.initialSum(sum);
          sum = scope.allocate(DType.FLOAT32, B, HK, D);
          call.finalSum(sum);
        }
        Tensor outs = call.forward(scope);
        assertArrayEquals(part(out, from, to).toFloatArray(), outs.toFloatArray(), 2e-5f);
      }
      assertArrayEquals(last.toFloatArray(), state.toFloatArray(), 2e-5f);
      if (normalised) {
        assertArrayEquals(lastSum.toFloatArray(), sum.toFloatArray(), 2e-5f);
      }
    }
  }

  @OnEveryDevice
  void inParts(TestDevice on) {
    for (int step : new int[] {1, 16, 20}) {
      inParts(on, false, false, step);
      inParts(on, true, false, step);
      inParts(on, false, true, step);
    }
  }

  /** One number for each head is retention; its gradient is the sum over all. */
  @OnEveryDevice
  void retention(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor query = random(scope, 1, 1, B, S, HQ, D);
      Tensor key = random(scope, 2, 1, B, S, HK, D);
      Tensor value = random(scope, 3, 1, B, S, HK, DV);
      float[] gammas = {(float) Math.log(1 - 1 / 32.0), (float) Math.log(1 - 1 / 64.0)};
      Tensor one = scope.allocate(DType.FLOAT32, HK).copyFrom(gammas);
      Tensor each = scope.allocate(DType.FLOAT32, B, S, HK);
      float[] all = new float[B * S * HK];
      for (int i = 0; i < all.length; i++) {
        all[i] = gammas[i % HK];
      }
      each.copyFrom(all);
      Tensor dout = random(scope, 4, 1, B, S, HQ, DV);
      LinearCall shared = LinearAttention.retention().call(query, key, value).decay(one);
      LinearCall apart = LinearAttention.retention().call(query, key, value).decay(each);
      assertArrayEquals(
          apart.forward(scope).toFloatArray(), shared.forward(scope).toFloatArray(), 0);
      Tensor sum = scope.allocate(DType.FLOAT32, HK);
      Tensor parts = scope.allocate(DType.FLOAT32, B, S, HK);
      shared.gradients(dout).ddecay(sum).backward(scope);
      apart.gradients(dout).ddecay(parts).backward(scope);
      double[] expected = new double[HK];
      float[] gradients = parts.toFloatArray();
      for (int i = 0; i < gradients.length; i++) {
        expected[i % HK] += gradients[i];
      }
      for (int h = 0; h < HK; h++) {
        assertEquals(expected[h], sum.toFloatArray()[h], 1e-4 * Math.abs(expected[h]) + 1e-2);
      }
    }
  }

  private static UnsupportedOperationException refused(LinearCall call, Scope scope) {
    return assertThrows(UnsupportedOperationException.class, () -> call.forward(scope));
  }

  @Test
  void whatHasNoMeaningIsRefusedByName() {
    try (Scope scope = Scope.open()) {
      Tensor query = random(scope, 1, 1, B, S, HQ, D);
      Tensor key = random(scope, 2, 1, B, S, HK, D);
      Tensor value = random(scope, 3, 1, B, S, HK, DV);
      Tensor number = random(scope, 4, 1, B, S, HK);
      LinearAttention full = LinearAttention.create();
      LinearAttention causal = full.toBuilder().causal(true).build();
      assertTrue(
          refused(full.call(query, key, value).decay(number), scope)
              .getMessage()
              .contains("decay and keyDecay need causal"));
      assertTrue(
          refused(full.call(query, key, value).beta(number), scope)
              .getMessage()
              .contains("beta needs causal"));
      assertTrue(
          refused(causal.call(query, key, value).beta(number), scope)
              .getMessage()
              .contains("beta with normalised"));
      assertTrue(
          refused(causal.toBuilder().scale(2).build().call(query, key, value), scope)
              .getMessage()
              .contains("scale with normalised"));
      LinearCall call = LinearAttention.retention().call(query, key, value);
      call.forward(scope);
      call.initialSum(random(scope, 5, 1, B, HK, D));
      assertTrue(refused(call, scope).getMessage().contains("initialSum and finalSum need"));
    }
  }
}

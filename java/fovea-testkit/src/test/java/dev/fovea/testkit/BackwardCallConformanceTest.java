package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.BackwardOracle.Gradients;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;

/** Backward passes as users call them: after their forward, by many threads. */
class BackwardCallConformanceTest {

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor normal(Device device, long seed, long... shape) {
    return Drawn.normal(scope, device, seed, DType.FLOAT32, shape);
  }

  /** With out and lse as the device's own forward leaves them, padding included. */
  @OnEveryBackward
  void afterItsForward(TestDevice on) {
    Failed failed = new Failed(on.device(), 1);
    for (int i = 0; i < on.size(30, 12); i++) {
      BackwardCase c = BackwardGenerator.generate(88, i, on.limits());
      BackwardOperands drawn = BackwardOperands.of(c);
      DType outType = c.forward().options().outDType();
      float[] out;
      float[] lse;
      try (CaseRun forward = new CaseRun(c.forward(), drawn.forward(), on.device())) {
        forward.run();
        out = Rounding.read(forward.out(), outType, drawn.out().length);
        lse = Rounding.read(forward.lse(), DType.FLOAT32, drawn.lse().length);
      }
      BackwardOperands data =
          new BackwardOperands(
              drawn.forward(), drawn.dout(), out, lse, drawn.dkey(), drawn.dvalue());
      Gradients expected = BackwardOracle.run(c, data, Precision.of(on.name()));
      try (BackwardRun run = new BackwardRun(c, data, on.device())) {
        failed.note(c, run.run().compare(expected));
      }
    }
    failed.orPass();
  }

  @OnEveryBackward
  void theShortWay(TestDevice on) {
    Device device = on.device();
    Attention attention = Attention.builder().causal().build();
    Tensor q = normal(device, 1, 2, 70, 4, 32);
    Tensor k = normal(device, 2, 2, 90, 2, 32);
    Tensor v = normal(device, 3, 2, 90, 2, 24);
    Tensor dout = normal(device, 4, 2, 70, 4, 24);
    Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 70).on(device);
    AttentionCall call = attention.call(q, k, v).lse(lse);
    Tensor out = call.forward(scope);
    AttentionGradients bound = call.backward(dout).deterministic(true).gradients(scope);
    for (int n = 0; n < 2; n++) {
      AttentionGradients loose = attention.backward(scope, dout, q, k, v, out, lse);
      assertSame(on, bound.query(), loose.query());
      assertSame(on, bound.key(), loose.key());
      assertSame(on, bound.value(), loose.value());
    }
  }

  /** Runs of a device that were not asked to be deterministic may sum in another order. */
  private static void assertSame(TestDevice on, Tensor expected, Tensor got) {
    if (on.isCpu()) {
      assertArrayEquals(expected.toFloatArray(), got.toFloatArray());
    } else {
      assertArrayEquals(expected.toFloatArray(), got.toFloatArray(), 1e-4f);
    }
  }

  @OnEveryBackward
  @Timeout(120)
  void eightThreadsOneAttention(TestDevice on) throws Exception {
    Device device = on.device();
    int runs = on.size(6, 1);
    Attention attention = Attention.builder().causal().build();
    Tensor q = normal(device, 1, 2, 130, 4, 32);
    Tensor k = normal(device, 2, 2, 130, 2, 32);
    Tensor dout = normal(device, 3, 2, 130, 4, 32);
    Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 130).on(device);
    Tensor out = attention.call(q, k, k).lse(lse).forward(scope);
    AttentionCall first = attention.call(q, k, k).out(out).lse(lse);
    AttentionGradients expected = first.backward(dout).deterministic(true).gradients(scope);
    float[] dquery = expected.query().toFloatArray();
    float[] dkey = expected.key().toFloatArray();
    try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
      List<Future<?>> all = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        all.add(
            threads.submit(
                () -> {
                  AttentionCall call = attention.call(q, k, k).out(out).lse(lse);
                  AttentionBackward backward = call.backward(dout).deterministic(true);
                  for (int n = 0; n < runs; n++) {
                    call.parallelism(1 + n % 3);
                    AttentionGradients got = backward.gradients(scope);
                    assertArrayEquals(dquery, got.query().toFloatArray());
                    assertArrayEquals(dkey, got.key().toFloatArray());
                  }
                  return null;
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    }
  }

  @OnEveryBackward
  void lengthsOutOfRange(TestDevice on) {
    on.assumeCpu("a device takes the nearest lengths");
    Device device = on.device();
    Tensor q = normal(device, 1, 2, 4, 2, 8);
    Tensor k = normal(device, 2, 2, 6, 2, 8);
    Tensor lse = normal(device, 3, 2, 2, 4);
    int[][] wrong = {{7, 1}, {1, -1}, {Integer.MIN_VALUE, 0}, {0, Integer.MAX_VALUE}};
    for (int[] lengths : wrong) {
      AttentionCall call = Attention.create().call(q, k, k).out(q).lse(lse);
      call.keyLengths(scope.copyOf(lengths, 2).on(device));
      AttentionBackward backward = call.backward(q);
      IllegalArgumentException refusal =
          assertThrows(IllegalArgumentException.class, () -> backward.gradients(scope));
      assertTrue(refusal.getMessage().contains("length"), refusal.getMessage());
    }
  }
}

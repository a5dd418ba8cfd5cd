package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Timeout;

/** Many threads on one spec and its plans, and owners that want their memory back. */
@Timeout(60)
class ConcurrencyConformanceTest {

  private static float[] normal(int n, long seed) {
    Gaussian random = new Gaussian(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  /** Does {@code work} on eight threads at once, each with a number of its own. */
  private static void onEightThreads(IntConsumer work) throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
      List<Future<?>> all = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        int thread = t;
        all.add(threads.submit(() -> work.accept(thread)));
      }
      for (Future<?> one : all) {
        one.get();
      }
    }
  }

  @OnEveryDevice
  void eightThreadsOneAttention(TestDevice on) throws Exception {
    Device device = on.device();
    int runs = on.size(12, 3);
    Attention attention = Attention.builder().causal().build();
    try (Scope scope = Scope.open()) {
      Tensor q = scope.copyOf(normal(2 * 130 * 4 * 64, 1), 2, 130, 4, 64).on(device);
      Tensor k = scope.copyOf(normal(2 * 130 * 2 * 64, 2), 2, 130, 2, 64).on(device);
      float[] expected = attention.forward(scope, q, k, k).toFloatArray();
      onEightThreads(
          thread -> {
            AttentionCall call =
                attention.call(q, k, k).out(scope.allocate(DType.FLOAT32, 2, 130, 4, 64));
            for (int n = 0; n < runs; n++) {
              Tensor out = scope.allocate(DType.FLOAT32, 2, 130, 4, 64).on(device);
              if ((n + thread) % 2 == 0) {
                call.out(out).parallelism(1 + n % 3).run();
              } else {
                out = attention.forward(scope, q, k, k);
              }
              assertArrayEquals(expected, out.toFloatArray());
            }
          });
    }
  }

  @OnEveryDevice
  void eightThreadsOneBackwardPass(TestDevice on) throws Exception {
    Device device = on.device();
    int runs = on.size(6, 1);
    Attention attention = Attention.builder().causal().build();
    try (Scope scope = Scope.open()) {
      Tensor q = scope.copyOf(normal(2 * 130 * 4 * 32, 1), 2, 130, 4, 32).on(device);
      Tensor k = scope.copyOf(normal(2 * 130 * 2 * 32, 2), 2, 130, 2, 32).on(device);
      Tensor dout = scope.copyOf(normal(2 * 130 * 4 * 32, 3), 2, 130, 4, 32).on(device);
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 130).on(device);
      AttentionCall first = attention.call(q, k, k).lse(lse);
      Tensor out = first.forward(scope);
      AttentionGradients expected = first.gradients(dout).deterministic(true).backward(scope);
      float[] dquery = expected.query().toFloatArray();
      float[] dkey = expected.key().toFloatArray();
      onEightThreads(
          thread -> {
            AttentionCall call = attention.call(q, k, k);
            AttentionBackward backward = call.gradients(dout, out, lse).deterministic(true);
            for (int n = 0; n < runs; n++) {
              call.parallelism(1 + n % 3);
              // The short way is not deterministic but on the CPU.
              AttentionGradients got =
                  on.isCpu() && (n + thread) % 2 == 0
                      ? attention.backward(scope, dout, q, k, k, out, lse)
                      : backward.backward(scope);
              assertArrayEquals(dquery, got.query().toFloatArray());
              assertArrayEquals(dkey, got.key().toFloatArray());
            }
          });
    }
  }

  /** While a call runs its scope does not close; afterwards it does, and says so. */
  @OnEveryDevice
  void closeDuringACall(TestDevice on) throws Exception {
    Device device = on.device();
    for (int attempt = 0; attempt < 10; attempt++) {
      if (closesAfterRefusing(device, on.size(4096, 1024))) {
        return;
      }
    }
    fail("the scope never refused to close");
  }

  /** False if the scope was closed before the call began, or between two. */
  private static boolean closesAfterRefusing(Device device, int rows) throws InterruptedException {
    Scope scope = Scope.open();
    Tensor q = scope.copyOf(normal(rows * 64, 3), 1, rows, 1, 64).on(device);
    Tensor out = scope.allocate(DType.FLOAT32, 1, rows, 1, 64).on(device);
    AttentionCall call = Attention.create().call(q, q, q).out(out);
    call.plan();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    CountDownLatch begun = new CountDownLatch(1);
    Thread runner =
        Thread.ofPlatform()
            .start(
                () -> {
                  begun.countDown();
                  try {
                    for (int n = 0; n < 5; n++) {
                      call.run();
                    }
                  } catch (Throwable thrown) {
                    failure.set(thrown);
                  }
                });
    begun.await();
    Thread.sleep(2);
    int refused = 0;
    while (scope.isOpen()) {
      try {
        scope.close();
      } catch (IllegalStateException inUse) {
        refused++;
        assertTrue(scope.isOpen());
        Thread.sleep(1);
      }
    }
    runner.join();
    // The only thing that may happen to the runner is to find the scope closed between two runs.
    if (failure.get() != null) {
      assertEquals(IllegalStateException.class, failure.get().getClass());
    }
    assertFalse(scope.isOpen());
    assertThrows(IllegalStateException.class, call::run);
    return refused > 0;
  }

  /** Helpers that never come, or are refused, do not matter. */
  @OnEveryDevice
  void uselessExecutors(TestDevice on) throws Exception {
    on.assumeCpu("a device asks no executor for help");
    Device device = on.device();
    try (Scope scope = Scope.open()) {
      Tensor q = scope.copyOf(normal(300 * 4 * 64, 5), 1, 300, 4, 64).on(device);
      Tensor out = scope.allocate(DType.FLOAT32, 1, 300, 4, 64).on(device);
      AttentionCall call = Attention.create().call(q, q, q).out(out);
      call.parallelism(1).run();
      float[] expected = out.toFloatArray();
      call.parallelism(4);
      out.fill(Float.NaN);
      call.executor(task -> {}).run();
      assertArrayEquals(expected, out.toFloatArray(), "tasks that never run");
      out.fill(Float.NaN);
      call.executor(
              task -> {
                throw new RejectedExecutionException();
              })
          .run();
      assertArrayEquals(expected, out.toFloatArray(), "tasks that are rejected");
      ExecutorService shut = Executors.newSingleThreadExecutor();
      shut.shutdown();
      out.fill(Float.NaN);
      call.executor(shut).run();
      assertArrayEquals(expected, out.toFloatArray(), "an executor that is shut down");
      List<Runnable> late = new ArrayList<>();
      out.fill(Float.NaN);
      call.executor(late::add).run();
      assertArrayEquals(expected, out.toFloatArray(), "tasks that come late");
      out.fill(7);
      late.forEach(Runnable::run);
      for (float value : out.toFloatArray()) {
        assertEquals(7, value, "a late helper wrote to out");
      }
    }
  }

  /** Virtual threads may change their carrier between any two calls. */
  @OnEveryDevice
  void virtualThreads(TestDevice on) throws Exception {
    Device device = on.device();
    Attention attention = Attention.create();
    try (Scope scope = Scope.open();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Tensor q = scope.copyOf(normal(40 * 2 * 32, 6), 1, 40, 2, 32).on(device);
      float[] expected = attention.forward(scope, q, q, q).toFloatArray();
      List<Future<float[]>> all = new ArrayList<>();
      for (int t = 0; t < 100; t++) {
        all.add(threads.submit(() -> attention.forward(scope, q, q, q).toFloatArray()));
      }
      for (Future<float[]> one : all) {
        assertArrayEquals(expected, one.get());
      }
    }
  }

  /** One call object is one run at a time, and says so. */
  @OnEveryDevice
  void oneCallTwice(TestDevice on) throws Exception {
    Device device = on.device();
    try (Scope scope = Scope.open();
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      int rows = on.size(2048, 512);
      Tensor q = scope.copyOf(normal(rows * 64, 8), 1, rows, 1, 64).on(device);
      Tensor out = scope.allocate(DType.FLOAT32, 1, rows, 1, 64).on(device);
      AttentionCall call = Attention.create().call(q, q, q).out(out);
      call.run();
      float[] expected = out.toFloatArray();
      List<Future<?>> both = List.of(threads.submit(call::run), threads.submit(call::run));
      for (Future<?> one : both) {
        try {
          one.get();
        } catch (ExecutionException refusal) {
          assertEquals(IllegalStateException.class, refusal.getCause().getClass());
        }
      }
      assertArrayEquals(expected, out.toFloatArray());
      threads.shutdown();
      assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
    }
  }
}

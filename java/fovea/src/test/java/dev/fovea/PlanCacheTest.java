package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Equal shapes have one plan, whoever makes it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PlanCacheTest {
  private static final int THREADS = 4;

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @Test
  void threadsThatMakeAPlanAtTheSameTimeGetTheSame() throws Exception {
    CyclicBarrier allHaveLooked = new CyclicBarrier(THREADS); // and found none
    HookedCpu hooks = new HookedCpu();
    hooks.onLibrary =
        () -> {
          try {
            allHaveLooked.await();
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        };
    Device device = Device.of(hooks);
    Attention attention = Attention.create();
    AttentionShape shape = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 64).build();
    try (ExecutorService pool = Executors.newFixedThreadPool(THREADS)) {
      List<Future<AttentionPlan>> plans = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        plans.add(pool.submit(() -> attention.plan(device, shape)));
      }
      for (Future<AttentionPlan> plan : plans) {
        assertSame(plans.getFirst().get(), plan.get());
      }
    }
    assertSame(attention.plan(device, shape), attention.plan(device, shape));
  }
}

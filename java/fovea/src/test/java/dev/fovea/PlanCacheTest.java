package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

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

  private static AttentionShape shape(long length) {
    return AttentionShape.dense(DType.FLOAT32, 1, length, 16, 2, 2, 64).build();
  }

  @Test
  void whatDiffersInOneNumberHasAnotherPlan() {
    Device device = Device.of(Device.cpu().backend());
    Attention attention = Attention.create();
    AttentionPlan plan = attention.plan(device, shape(16));
    assertNotSame(plan, attention.plan(device, shape(17)));
    assertNotSame(plan, Attention.builder().causal().build().plan(device, shape(16)));
    AttentionShape.Builder builder = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 64).lse();
    AttentionPlan forward = attention.plan(device, builder.build());
    AttentionPlan backward = attention.plan(device, builder.backward().build());
    assertNotSame(forward, backward);
    assertSame(plan, attention.plan(device, shape(16)));
    assertSame(plan, Attention.builder().build().plan(device, shape(16)), "equal attention");
    assertSame(backward, attention.plan(device, builder.build()));
  }

  @Test
  void eachDeviceHasItsOwnPlans() {
    Device one = Device.of(Device.cpu().backend());
    Device two = Device.of(Device.cpu().backend());
    AttentionPlan plan = Attention.create().plan(one, shape(16));
    for (int length = 100; length < 200; length++) {
      Attention.create().plan(two, shape(length));
    }
    assertNotSame(plan, Attention.create().plan(two, shape(16)));
    assertSame(plan, Attention.create().plan(one, shape(16)));
  }

  /** The operands of a call and a shape that says the same give the same plan. */
  @Test
  void aCallAndItsShapeHaveOnePlan() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      AttentionShape shape = AttentionShape.dense(DType.FLOAT32, 1, 128, 128, 4, 2, 64).build();
      AttentionPlan plan = operands.call(Attention.create()).plan();
      assertSame(plan, Attention.create().plan(scope.device(), shape));
      assertSame(plan, operands.call(Attention.create()).plan());
    }
  }

  @Test
  void whatIsRefusedIsNotKept() {
    Device device = Device.of(Device.cpu().backend());
    AttentionShape wide = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 513).build();
    for (int i = 0; i < 3; i++) {
      assertThrows(IllegalArgumentException.class, () -> Attention.create().plan(device, wide));
    }
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls on the real library: what they promise beside the numbers, which the testkit checks. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AttentionCallTest {
  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @Test
  void theResultIsAttentionWithTheSameBitsForAnyNumberOfWorkers() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      float[] expected = operands.expected();
      AttentionCall call = operands.call(Attention.create()).parallelism(1);
      call.run();
      float[] alone = operands.out().toFloatArray();
      assertArrayEquals(expected, alone, 1e-4f);
      for (int workers = 2; workers <= 5; workers++) {
        operands.out().fill(Float.NaN);
        call.parallelism(workers).run();
        assertArrayEquals(alone, operands.out().toFloatArray());
      }
      Tensor out =
          Attention.create().forward(scope, operands.query(), operands.key(), operands.value());
      assertArrayEquals(alone, out.toFloatArray());
    }
  }

  @Test
  void aPackedBatchOfOneIsThatBatch() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      operands.call(Attention.create()).run();
      Tensor offsets = scope.copyOf(new int[] {0, 128}, 2);
      Tensor packed =
          Attention.create()
              .call(
                  operands.query().select(0, 0),
                  operands.key().select(0, 0),
                  operands.value().select(0, 0))
              .cuSeqlens(offsets, offsets, 128, 128)
              .forward(scope);
      assertArrayEquals(new long[] {128, 4, 64}, packed.shape());
      assertArrayEquals(operands.out().toFloatArray(), packed.toFloatArray(), 1e-5f);
    }
  }

  @Test
  void nothingAtAllIsLegal() {
    try (Scope scope = Scope.open()) {
      Attention attention = Attention.create();
      for (long[] sizes : new long[][] {{0, 3, 5}, {2, 0, 5}, {2, 3, 0}, {0, 0, 0}}) {
        Tensor query = scope.allocate(DType.FLOAT32, sizes[0], sizes[1], 2, 16).fill(1);
        Tensor key = scope.allocate(DType.FLOAT32, sizes[0], sizes[2], 2, 16).fill(1);
        Tensor lse = scope.allocate(DType.FLOAT32, sizes[0], 2, sizes[1]);
        Tensor out = attention.call(query, key, key).lse(lse).forward(scope);
        for (float value : out.toFloatArray()) {
          assertEquals(0, value);
        }
        for (float value : lse.toFloatArray()) {
          assertEquals(Float.NEGATIVE_INFINITY, value);
        }
      }
    }
  }

  @Test
  void theContentsMayChangeBetweenRunsAndBindingsToo() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      AttentionCall call = operands.call(Attention.create());
      call.run();
      AttentionPlan plan = call.plan();
      operands.value().fill(2);
      call.run();
      for (float value : operands.out().toFloatArray()) {
        assertEquals(2, value, 1e-5f);
      }
      assertSame(plan, call.plan());
      Tensor other = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
      call.out(other).run();
      assertSame(plan, call.plan(), "same strides, same plan");
      assertEquals(2, other.getFloat(0, 127, 3, 63), 1e-5f);
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 4, 128);
      call.lse(lse).run();
      assertNotSame(plan, call.plan());
      assertTrue(lse.getFloat(0, 3, 127) > 0);
    }
  }

  @Test
  void plansAreKeptAndBounded() {
    Attention attention = Attention.create();
    AttentionShape shape = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 64).build();
    AttentionPlan plan = attention.plan(Device.cpu(), shape);
    assertSame(plan, attention.plan(Device.cpu(), shape));
    assertSame(plan, Attention.create().plan(Device.cpu(), shape), "equal attention, same plan");
    assertNotSame(plan, Attention.builder().causal().build().plan(Device.cpu(), shape));
    for (int length = 17; length < 100; length++) {
      attention.plan(
          Device.cpu(), AttentionShape.dense(DType.FLOAT32, 1, length, 16, 2, 2, 64).build());
    }
    assertNotSame(plan, attention.plan(Device.cpu(), shape), "it has gone");
    assertTrue(plan.phases() >= 1 && plan.items(0) >= 1 && plan.flops() > 0);
    assertTrue(plan.tileQueries() > 0 && plan.tileKeys() > 0 && !plan.kernel().isEmpty());
    assertThrows(IndexOutOfBoundsException.class, () -> plan.items(plan.phases()));
  }

  @Test
  void eachTierPlansForItself() {
    AttentionShape shape = AttentionShape.dense(DType.FLOAT32, 1, 16, 16, 2, 2, 64).build();
    Attention attention = Attention.create();
    for (Device device : Device.cpuTiers()) {
      assertSame(device, Device.byName(device.name()));
      assertTrue(attention.plan(device, shape).toString().contains(device.name()));
    }
  }

  @Test
  void whatThePlannerRefusesIsAnExceptionWithItsText() {
    try (Scope scope = Scope.open()) {
      Tensor wide = scope.allocate(DType.FLOAT32, 1, 2, 1, 513);
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> Attention.create().forward(scope, wide, wide, wide));
      assertTrue(refused.getMessage().contains("513"), refused.getMessage());
    }
  }

  @Test
  void whatARunRefusesIsAnExceptionWithItsText() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      Tensor lengths = scope.copyOf(new int[] {129}, 1);
      AttentionCall call = operands.call(Attention.create()).keyLengths(lengths);
      for (int workers = 1; workers <= 4; workers++) {
        call.parallelism(workers);
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, call::run);
        assertTrue(refused.getMessage().contains("129"), refused.getMessage());
      }
      lengths.fill(100);
      call.run(); // and it works again
      assertTrue(Float.isFinite(operands.out().getFloat(0, 0, 0, 0)));
    }
  }

  @Test
  void aScopeInUseStaysOpen() {
    Scope scope = Scope.open();
    Operands operands = Operands.in(scope);
    AtomicReference<Exception> refused = new AtomicReference<>();
    // Helpers are submitted during the call, so another thread closes it at the worst time.
    AttentionCall call =
        operands
            .call(Attention.create())
            .parallelism(2)
            .executor(
                task -> {
                  try {
                    Thread.ofPlatform()
                        .start(() -> refused.set(assertThrows(Exception.class, scope::close)))
                        .join();
                  } catch (InterruptedException e) {
                    throw new AssertionError(e);
                  }
                });
    call.run();
    assertEquals(
        "the scope cannot be closed: 1 call(s) or graph(s) use its memory; it stays open",
        refused.get().getMessage());
    assertTrue(scope.isOpen());
    refused.set(null);
    call.executor(Runnable::run).run();
    assertNull(refused.get());
    scope.close();
    assertThrows(IllegalStateException.class, call::run);
    assertThrows(IllegalStateException.class, () -> operands.call(Attention.create()).run());
  }

  @Test
  void aScopeClosedByAnotherThreadIsNeverPulledAway() throws Exception {
    for (int round = 0; round < 20; round++) {
      Scope scope = Scope.open();
      Operands operands = Operands.in(scope);
      AttentionCall call = operands.call(Attention.create()).parallelism(3);
      call.run();
      AtomicBoolean closed = new AtomicBoolean();
      Thread closer =
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (!closed.get()) {
                      try {
                        scope.close();
                        closed.set(true);
                      } catch (IllegalStateException inUse) {
                        Thread.onSpinWait();
                      }
                    }
                  });
      try {
        while (true) {
          call.run();
          LockSupport.parkNanos(100_000); // or the closer would rarely get a chance
        }
      } catch (IllegalStateException e) {
        assertEquals("the scope of this memory is closed", e.getMessage());
      }
      closer.join();
    }
  }

  /** Not counted, but the JDK keeps its memory during each native call. */
  @Test
  void aForeignArenaClosedByAnotherThreadIsAnException() throws Exception {
    for (int round = 0; round < 20; round++) {
      Arena arena = Arena.ofShared();
      AttentionCall call = Operands.in(arena).call(Attention.create()).parallelism(3);
      call.run();
      Thread closer =
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (true) {
                      try {
                        arena.close();
                        return;
                      } catch (IllegalStateException inUse) {
                        Thread.onSpinWait();
                      }
                    }
                  });
      assertThrows(
          IllegalStateException.class,
          () -> {
            while (true) {
              call.run();
            }
          });
      closer.join();
    }
  }

  @Test
  void confinedMemoryRunsOnItsThreadAlone() throws Exception {
    try (Arena arena = Arena.ofConfined();
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      AtomicInteger submitted = new AtomicInteger();
      AttentionCall call =
          Operands.in(arena)
              .call(Attention.create())
              .parallelism(4)
              .executor(task -> submitted.incrementAndGet());
      call.run();
      assertEquals(0, submitted.get());
      Future<?> elsewhere = pool.submit(call::run);
      Exception e = assertThrows(Exception.class, elsewhere::get);
      assertEquals(WrongThreadException.class, e.getCause().getClass());
      call.run();
    }
  }

  @Test
  void manyCallsAtOnceShareEverythingElse() throws Exception {
    Attention attention = Attention.builder().causal().build();
    try (Scope scope = Scope.open();
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      Operands operands = Operands.in(scope);
      operands.call(attention).parallelism(1).run();
      float[] expected = operands.out().toFloatArray();
      CountDownLatch start = new CountDownLatch(1);
      List<Future<?>> callers = new ArrayList<>();
      for (int caller = 0; caller < 4; caller++) {
        callers.add(
            pool.submit(
                () -> {
                  Tensor out = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
                  AttentionCall call =
                      attention.call(operands.query(), operands.key(), operands.value()).out(out);
                  start.await();
                  for (int run = 0; run < 50; run++) {
                    out.fill(Float.NaN);
                    call.parallelism(1 + run % 4).executor(pool).run();
                    assertArrayEquals(expected, out.toFloatArray());
                    assertArrayEquals(
                        expected,
                        attention
                            .forward(scope, operands.query(), operands.key(), operands.value())
                            .toFloatArray());
                  }
                  return null;
                }));
      }
      start.countDown();
      for (Future<?> caller : callers) {
        caller.get();
      }
    }
  }

  @Test
  void withoutOutThereIsNoRun() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      AttentionCall call =
          Attention.create().call(operands.query(), operands.key(), operands.value());
      assertThrows(IllegalStateException.class, call::run);
      assertThrows(IllegalStateException.class, call::plan);
      call.out(operands.out()).run();
    }
  }

  @Test
  void itsTextIsTheAttentionAndWhatIsBound() {
    try (Scope scope = Scope.open()) {
      Operands operands = Operands.in(scope);
      Attention attention = Attention.builder().causal().build();
      AttentionCall call = attention.call(operands.query(), operands.key(), operands.value());
      String inputs =
          "AttentionCall[Attention[mask=causal], query FLOAT32[1, 128, 4, 64] on cpu, key"
              + " FLOAT32[1, 128, 2, 64] on cpu, value FLOAT32[1, 128, 2, 64] on cpu";
      assertEquals(inputs + "]", call.toString());
      call.out(operands.out()).keyLengths(scope.allocate(DType.INT32, 1));
      String all = inputs + ", keyLengths INT32[1] on cpu, out FLOAT32[1, 128, 4, 64] on cpu]";
      assertEquals(all, call.toString());
      AttentionBackward backward = call.gradients(operands.out()).dkey(operands.key());
      assertEquals(
          "AttentionBackward[dout FLOAT32[1, 128, 4, 64] on cpu, dkey FLOAT32[1, 128, 2, 64] on cpu"
              + " of "
              + all
              + "]",
          backward.toString());
    }
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A run never depends on its executor, and leaves nothing behind in it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FanoutExecutorTest {
  private static void runEverySize(Executor executor) {
    Fanout fanout = new Fanout(executor);
    for (int workers : new int[] {2, 3, 8, 100}) {
      for (long items : new long[] {1, 2, 7, 64, 1000}) {
        new CheckedWork(workers, items, 0, 1, items).runOn(fanout, workers);
      }
    }
  }

  @Test
  void onTheCommonPool() {
    runEverySize(ForkJoinPool.commonPool());
  }

  @Test
  void onVirtualThreads() {
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      runEverySize(executor);
    }
  }

  @Test
  void onAnExecutorThatRunsInline() {
    runEverySize(Runnable::run);
  }

  @Test
  void onAnExecutorThatRejects() {
    runEverySize(
        task -> {
          throw new RejectedExecutionException("full");
        });
  }

  /** Without a thread for a helper, the caller has its own. */
  @Test
  void onAnExecutorThatThrowsAnything() {
    for (Throwable thrown :
        List.of(
            new OutOfMemoryError("unable to create native thread"),
            new NullPointerException(),
            new StackOverflowError())) {
      runEverySize(task -> throwAny(thrown));
    }
  }

  @Test
  void onAnExecutorThatQueuesAndThrows() {
    try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
      runEverySize(
          task -> {
            pool.execute(task);
            throw new OutOfMemoryError("after all");
          });
    }
  }

  @SuppressWarnings("unchecked") // a checked exception as well
  private static <T extends Throwable> void throwAny(Throwable thrown) throws T {
    throw (T) thrown;
  }

  @Test
  void onAnExecutorThatForgets() {
    runEverySize(task -> {});
  }

  @Test
  void onAnExecutorThatRunsTasksTwice() {
    try (ExecutorService pool = Executors.newFixedThreadPool(3)) {
      runEverySize(
          task -> {
            pool.execute(task);
            pool.execute(task);
          });
    }
  }

  /** The run ends without helpers; those that begin later find it closed. */
  @Test
  void aSaturatedExecutorIsNotWaitedForAndNotFlooded() {
    CountDownLatch release = new CountDownLatch(1);
    try (ExecutorService pool = Executors.newFixedThreadPool(1)) {
      pool.execute(() -> FanoutTest.await(release));
      try {
        checkSaturated(pool, release);
      } finally {
        release.countDown(); // or a failure would hang on the pool
      }
    }
  }

  private static void checkSaturated(ExecutorService pool, CountDownLatch release) {
    AtomicInteger submitted = new AtomicInteger();
    AtomicInteger ended = new AtomicInteger();
    Fanout fanout =
        new Fanout(
            task -> {
              submitted.incrementAndGet();
              pool.execute(
                  () -> {
                    task.run();
                    ended.incrementAndGet();
                  });
            });
    List<CheckedWork> works = new ArrayList<>();
    for (int run = 0; run < 1000; run++) {
      CheckedWork work = new CheckedWork(4, 50, 50);
      work.runOn(fanout, 4);
      works.add(work);
      int most = 3 * (32 - Integer.numberOfLeadingZeros(2 * run + 1));
      assertTrue(submitted.get() <= Math.max(3, most), submitted + " helpers in run " + run);
    }
    int waiting = submitted.get();
    release.countDown();
    while (ended.get() < waiting) {
      Thread.onSpinWait();
    }
    works.forEach(work -> assertEquals(List.of(), List.copyOf(work.broken)));
    new CheckedWork(4, 50).runOn(fanout, 4);
    assertTrue(submitted.get() > waiting, "those that have begun are submitted again");
  }

  /** As a full pool with {@code DiscardPolicy} does, or one that somebody shuts down. */
  @Test
  void droppedHelpersAreReplaced() {
    for (int dropped = 1; dropped <= 3; dropped++) {
      List<Runnable> queue = new ArrayList<>();
      Fanout fanout = new Fanout(queue::add);
      new CheckedWork(4, 50).runOn(fanout, 4);
      assertEquals(3, queue.size());
      queue.subList(0, dropped).clear();
      int runs = 0;
      do {
        queue.forEach(Runnable::run);
        queue.clear();
        new CheckedWork(4, 50).runOn(fanout, 4);
        runs++;
      } while (queue.size() < 3 && runs < 100);
      assertTrue(runs <= 10, "after " + runs + " runs, of three helpers lost: " + dropped);
      queue.forEach(Runnable::run);
      new CheckedWork(4, 50).runOn(fanout, 4);
      assertEquals(6, queue.size(), "and from then on all of them");
    }
  }

  @Test
  void aHelperThatWaitsHoldsNothingOfARun() throws Exception {
    List<Runnable> waiting = new ArrayList<>();
    Fanout fanout = new Fanout(waiting::add);
    new CheckedWork(3, 50, 50).runOn(fanout, 3);
    assertThrows(
        UnsupportedOperationException.class,
        () ->
            fanout.run(
                (worker, phase, begin, end) -> {
                  throw new UnsupportedOperationException();
                },
                new long[] {50},
                3));
    assertTrue(waiting.size() >= 2);
    for (Runnable helper : waiting) {
      assertHoldsOnly(Set.of(Fanout.class, helper.getClass()), helper, new HashSet<>());
    }
  }

  /** Of our own classes. */
  private static void assertHoldsOnly(Set<Class<?>> allowed, Object from, Set<Object> seen)
      throws IllegalAccessException {
    if (from == null || !seen.add(System.identityHashCode(from))) {
      return;
    }
    assertTrue(allowed.contains(from.getClass()), () -> "it holds a " + from.getClass());
    for (Field field : from.getClass().getDeclaredFields()) {
      boolean small = field.getType().isPrimitive() || field.getType() == Executor.class;
      if (!small && !Modifier.isStatic(field.getModifiers())) {
        field.setAccessible(true);
        assertHoldsOnly(allowed, field.get(from), seen);
      }
    }
  }
}

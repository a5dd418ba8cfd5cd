package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sharing items between the caller and helpers. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FanoutTest {
  private static final Executor REJECTS =
      task -> {
        throw new RejectedExecutionException("full");
      };

  @Test
  void noMoreHelpersAreSubmittedThanCanHelp() {
    AtomicInteger submitted = new AtomicInteger();
    Fanout fanout =
        new Fanout(
            task -> {
              submitted.incrementAndGet();
              Thread.ofVirtual().start(task);
              sleep(2); // it is at work before the next is submitted
            });
    int failed =
        fanout.run(
            (worker, phase, begin, end) -> {
              sleep(1);
              return 0;
            },
            new long[] {200, 200},
            4);
    assertEquals(-1, failed);
    assertTrue(submitted.get() <= 6, "3 for each phase, not " + submitted.get());
  }

  @Test
  void helpersReallyHelp() {
    try (ExecutorService pool = Executors.newFixedThreadPool(1)) {
      CountDownLatch both = new CountDownLatch(2);
      int failed =
          new Fanout(pool)
              .run(
                  (worker, phase, begin, end) -> {
                    both.countDown();
                    await(both); // until a second thread is inside an item too
                    return 0;
                  },
                  new long[] {2},
                  2);
      assertEquals(-1, failed);
    }
  }

  @Test
  void aStatusSurfacesWithItsWorkerAndStopsTheOthers() {
    AtomicInteger chunks = new AtomicInteger();
    AtomicInteger failing = new AtomicInteger();
    CountDownLatch failed = new CountDownLatch(1);
    Fanout fanout = new Fanout(ForkJoinPool.commonPool());
    int worker =
        fanout.run(
            (w, phase, begin, end) -> {
              chunks.incrementAndGet();
              if (begin == 0) {
                failing.set(w);
                failed.countDown();
                return 42;
              }
              await(failed);
              sleep(5); // time enough for the failure to be noted
              return 0;
            },
            new long[] {1_000_000, 5},
            4);
    assertEquals(failing.get(), worker);
    assertEquals(42, fanout.failedStatus());
    assertTrue(chunks.get() <= 16, "of 32 chunks: " + chunks.get());
    new CheckedWork(4, 100).runOn(fanout, 4);
  }

  @Test
  void whatAHelperThrowsSurfacesOnceInTheCaller() {
    try (ExecutorService pool = Executors.newFixedThreadPool(3)) {
      Fanout fanout = new Fanout(pool);
      Thread caller = Thread.currentThread();
      CountDownLatch thrown = new CountDownLatch(1);
      Fanout.Work work =
          (worker, phase, begin, end) -> {
            if (Thread.currentThread() == caller) {
              await(thrown);
              return 0;
            }
            thrown.countDown();
            throw new UnsupportedOperationException("from worker " + (worker > 0));
          };
      UnsupportedOperationException seen =
          assertThrows(
              UnsupportedOperationException.class, () -> fanout.run(work, new long[] {50}, 2));
      assertEquals("from worker true", seen.getMessage());
      new CheckedWork(2, 100).runOn(fanout, 2);
    }
  }

  @Test
  void aClosedArenaShowsTheStackOfTheCaller() {
    IllegalStateException cause = new IllegalStateException("Already closed");
    IllegalStateException seen =
        assertThrows(
            IllegalStateException.class,
            () ->
                new Fanout(REJECTS)
                    .run(
                        (worker, phase, begin, end) -> {
                          throw cause;
                        },
                        new long[] {2},
                        2));
    assertEquals("Already closed", seen.getMessage());
    assertSame(cause, seen.getCause());
  }

  @Test
  void errorsSurfaceAsTheyAre() {
    Error error = new StackOverflowError();
    Fanout fanout = new Fanout(Runnable::run);
    assertSame(
        error,
        assertThrows(
            StackOverflowError.class,
            () ->
                fanout.run(
                    (worker, phase, begin, end) -> {
                      throw error;
                    },
                    new long[] {9},
                    3)));
  }

  @Test
  void anInterruptIsKeptAndDoesNotEndTheWait() {
    try (ExecutorService pool = Executors.newFixedThreadPool(1)) {
      Thread caller = Thread.currentThread();
      AtomicBoolean helperDone = new AtomicBoolean();
      CountDownLatch helperIn = new CountDownLatch(1);
      new Fanout(pool)
          .run(
              (worker, phase, begin, end) -> {
                if (worker == 0) {
                  await(helperIn);
                } else {
                  helperIn.countDown();
                  caller.interrupt();
                  sleep(100); // the caller has nothing left and waits by now
                  helperDone.set(true);
                }
                return 0;
              },
              new long[] {2},
              2);
      assertTrue(helperDone.get());
      assertTrue(Thread.interrupted());
    }
  }

  /** Late helpers of one run become helpers of another, with other numbers of workers and items. */
  @Test
  void anyMixtureOfRunsAndExecutors() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (ExecutorService pool = Executors.newFixedThreadPool(5)) {
      Executor moody =
          task -> {
            switch (ThreadLocalRandom.current().nextInt(5)) {
              case 0 -> task.run();
              case 1 -> throw new RejectedExecutionException();
              case 2 ->
                  pool.execute(
                      () -> {
                        Thread.yield();
                        task.run();
                      });
              default -> pool.execute(task);
            }
          };
      Fanout fanout = new Fanout(moody);
      for (int run = 0; run < 3000; run++) {
        int workers = 2 + random.nextInt(6);
        CheckedWork work = new CheckedWork(workers, 1 + random.nextInt(40), random.nextInt(10));
        work.runOn(fanout, workers);
      }
    } catch (AssertionError e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  /** Helpers that begin between two phases, when one run is closed and the next not open yet. */
  @Test
  void helpersThatComeBetweenPhases() {
    try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
      Fanout fanout =
          new Fanout(
              task ->
                  pool.execute(
                      () -> {
                        for (int i = ThreadLocalRandom.current().nextInt(200); i > 0; i--) {
                          Thread.onSpinWait();
                        }
                        task.run();
                      }));
      // Its yields give whole time slices away where others keep the cores busy.
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      for (int run = 0; run < 8000 && System.nanoTime() < end; run++) {
        new CheckedWork(4, 4, 1, 4, 2, 4, 3, 4, 4).runOn(fanout, 4);
      }
    }
  }

  static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      sleepUninterrupted(latch);
    }
  }

  private static void sleepUninterrupted(CountDownLatch latch) {
    while (latch.getCount() > 0) {
      Thread.onSpinWait();
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}

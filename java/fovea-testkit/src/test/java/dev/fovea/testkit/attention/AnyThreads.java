package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionCall;
import dev.fovea.testkit.CheckedCase;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Runs with different numbers of threads, which must give the same bits. */
final class AnyThreads implements AutoCloseable {

  private final ExecutorService pool = Executors.newFixedThreadPool(7);
  private final AtomicInteger helpers = new AtomicInteger();

  /**
   * Compares the bits of runs.
   *
   * @param call says how many threads {@code run} takes
   * @param run gives all bytes of its outputs
   */
  void check(CheckedCase c, AttentionCall call, Supplier<byte[]> run) {
    call.executor(
        task -> {
          helpers.incrementAndGet();
          pool.execute(task);
        });
    byte[] first = null;
    for (int workers : new int[] {1, 2, 3, 8, 1}) {
      call.parallelism(workers);
      byte[] bytes = run.get();
      if (first == null) {
        first = bytes;
      }
      assertArrayEquals(first, bytes, workers + " workers: " + c);
    }
  }

  /** Fails if all of it was done by one thread. */
  void assertShared() {
    assertTrue(helpers.get() > 0, "no run asked for a helper, so this test tested nothing");
  }

  @Override
  public void close() {
    pool.close();
  }
}

package dev.fovea.testkit;

import dev.fovea.ffi.TemporaryFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Short work that leaves nothing behind when the process is told to end in the middle of it: an
 * exit, and with it SIGTERM and SIGINT, waits until the work has cleaned up after itself. Work that
 * begins after that never runs. Thread-safe.
 */
public final class CleanExit {

  /** Loading a library takes a fraction of a second; who hangs is not waited for. */
  private static final long PATIENCE_SECONDS = 10;

  private static final ReentrantLock RUNNING = new ReentrantLock();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(CleanExit::last, "fovea-clean-exit"));
  }

  private CleanExit() {}

  /** What to do, and its result. */
  @FunctionalInterface
  public interface Work<T> {
    /** Does it. */
    T run() throws IOException;
  }

  /** What to do with a folder, and its result. */
  @FunctionalInterface
  public interface FolderWork<T> {
    /** Does it. */
    T run(Path folder) throws IOException;
  }

  /** Takes the lock for good. */
  private static void last() {
    try {
      RUNNING.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Runs {@code work}, which an exit waits for, and returns its result. */
  public static <T> T finish(Work<T> work) throws IOException {
    RUNNING.lock();
    try {
      return work.run();
    } finally {
      RUNNING.unlock();
    }
  }

  /**
   * Runs {@code work}, which an exit waits for, with a fresh folder that only this user can enter
   * and that is deleted afterwards with all that is in it.
   *
   * @param prefix how the folder's name begins
   * @throws IOException if the folder cannot be made or deleted, or from the work
   */
  public static <T> T inFolder(String prefix, FolderWork<T> work) throws IOException {
    return finish(
        () -> {
          try (TemporaryFolder folder = TemporaryFolder.make(prefix)) {
            return work.run(folder.path());
          }
        });
  }
}

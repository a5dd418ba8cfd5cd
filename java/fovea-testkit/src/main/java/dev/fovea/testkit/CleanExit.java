package dev.fovea.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

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
          Path folder = make(prefix);
          try {
            return work.run(folder);
          } finally {
            delete(folder);
          }
        });
  }

  private static Path make(String prefix) throws IOException {
    try {
      return Files.createTempDirectory(prefix);
    } catch (IOException e) {
      throw new IOException(
          "no folder can be made in the temporary directory %s; -Djava.io.tmpdir names another"
              .formatted(System.getProperty("java.io.tmpdir")),
          e);
    }
  }

  private static void delete(Path folder) throws IOException {
    List<Path> all;
    try (Stream<Path> found = Files.walk(folder)) {
      all = found.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path one : all) {
      Files.delete(one);
    }
  }
}

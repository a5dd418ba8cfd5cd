package dev.fovea.cli.demo;

import java.io.PrintStream;
import java.util.Locale;

/**
 * A progress bar for work of more than a second: shorter work shows none. Drawn over itself on a
 * terminal, and as a few whole lines elsewhere.
 */
final class ProgressBar implements AutoCloseable {

  private static final int WIDTH = 30;
  private static final long PATIENCE = 1_000_000_000L; // nanoseconds before the first drawing

  private final PrintStream to;
  private final String what;
  private final long total;
  private final boolean terminal;
  private final long interval;
  private final long start = System.nanoTime();
  private long lastDrawn = start;
  private boolean drawn;

  /** A bar for {@code total} pieces of {@code what}. */
  ProgressBar(PrintStream to, String what, long total, boolean terminal) {
    this.to = to;
    this.what = what;
    this.total = total;
    this.terminal = terminal;
    interval = terminal ? 100_000_000L : 5_000_000_000L;
  }

  /** Says that {@code done} pieces are finished. */
  void update(long done) {
    long now = System.nanoTime();
    if (now - start < PATIENCE || now - lastDrawn < interval && done < total) {
      return;
    }
    lastDrawn = now;
    drawn = true;
    double seconds = (now - start) * 1e-9;
    int filled = (int) (WIDTH * done / Math.max(1, total));
    String line =
        String.format(
            Locale.ROOT,
            "[%s%s] %3d%%  %d of %d %s, %.0f/s, %.0f s left",
            "#".repeat(filled),
            ".".repeat(WIDTH - filled),
            100 * done / Math.max(1, total),
            done,
            total,
            what,
            done / seconds,
            seconds * (total - done) / Math.max(1, done));
    if (terminal) {
      to.print("\r" + line + "\033[K");
      to.flush();
    } else {
      to.println(line);
    }
  }

  /** Leaves the bar behind and starts a new line. */
  @Override
  public void close() {
    if (drawn && terminal) {
      to.println();
    }
  }
}

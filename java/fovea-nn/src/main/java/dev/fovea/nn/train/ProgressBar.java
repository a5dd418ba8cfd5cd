package dev.fovea.nn.train;

import java.io.Console;
import java.io.PrintStream;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * A progress bar for work of more than a second: shorter work shows none. Drawn over itself on a
 * terminal, and as a few whole lines elsewhere. It watches a {@link Trainer} too, with the loss:
 *
 * {@snippet :
 * try (ProgressBar bar = ProgressBar.of(System.err, "steps", steps)) {
 *   trainer.steps(steps).listener(bar).run();
 * }
 * }
 */
public final class ProgressBar implements Trainer.Listener, AutoCloseable {
  private static final int WIDTH = 30;
  private static final long PATIENCE = 1_000_000_000L; // nanoseconds before the first drawing

  private final PrintStream to;
  private final String what;
  private final long total;
  private final boolean terminal;
  private final LongSupplier clock;
  private final long interval;
  private final long start;
  private long skipped = -1; // done before the start; -1: nothing was said yet
  private long lastDrawn;
  private boolean drawn;

  /** Of a clock in nanoseconds. */
  ProgressBar(PrintStream to, String what, long total, boolean terminal, LongSupplier clock) {
    this.to = to;
    this.what = what;
    this.total = total;
    this.terminal = terminal;
    this.clock = clock;
    interval = terminal ? 100_000_000L : 5_000_000_000L;
    start = clock.getAsLong();
    lastDrawn = start;
  }

  /**
   * A bar.
   *
   * @param what there is, in the plural
   * @param total pieces of that
   * @param terminal whether it is drawn over itself
   */
  public ProgressBar(PrintStream to, String what, long total, boolean terminal) {
    this(to, what, total, terminal, System::nanoTime);
  }

  /** A bar that is drawn over itself where the process has a terminal. */
  public static ProgressBar of(PrintStream to, String what, long total) {
    Console console = System.console();
    return new ProgressBar(to, what, total, console != null && console.isTerminal());
  }

  /** Says that {@code done} pieces are finished. */
  public void update(long done) {
    skipped = Math.max(0, skipped);
    draw(done, "");
  }

  /** Says that a step has been taken; those before the first one that is said were taken before. */
  @Override
  public void metrics(int step, Map<String, Double> metrics) {
    skipped = skipped < 0 ? step - 1 : skipped;
    Double loss = metrics.get("loss");
    draw(step, loss == null ? "" : String.format(Locale.ROOT, ", loss %.4g", loss));
  }

  private void draw(long done, String note) {
    long now = clock.getAsLong();
    if (now - start < PATIENCE || now - lastDrawn < interval && done < total) {
      return;
    }
    lastDrawn = now;
    drawn = true;
    double seconds = (now - start) * 1e-9;
    double rate = (done - skipped) / seconds;
    int filled = (int) (WIDTH * done / Math.max(1, total));
    String line =
        String.format(
            Locale.ROOT,
            "[%s%s] %3d%%  %d of %d %s, %s/s, %s left%s",
            "#".repeat(filled),
            ".".repeat(WIDTH - filled),
            100 * done / Math.max(1, total),
            done,
            total,
            what,
            String.format(Locale.ROOT, rate < 10 ? "%.2f" : "%.0f", rate),
            time(seconds * (total - done) / Math.max(1, done - skipped)),
            note);
    if (terminal) {
      to.print("\r" + line + "\033[K");
      to.flush();
    } else {
      to.println(line);
    }
  }

  private static String time(double seconds) {
    long whole = Math.round(seconds);
    if (whole < 100) {
      return whole + " s";
    }
    long minutes = Math.round(seconds / 60);
    return minutes < 100 ? minutes + " min" : minutes / 60 + " h " + minutes % 60 + " min";
  }

  /** Leaves the bar behind and starts a new line. */
  @Override
  public void close() {
    if (drawn && terminal) {
      to.println();
    }
  }
}

package dev.fovea.testkit;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The process that {@link CheckRunner} starts: runs cases and says so, a line when a case starts
 * and one when it ends, so that the parent knows what was running should this process die.
 *
 * <pre>
 * @@S index                              started
 * @@P index worst tileQueries tileKeys   passed; worst error in units of what is allowed
 * @@F index kind message                 failed
 * </pre>
 */
public final class CheckChild {

  static final String PREFIX = "@@";

  private CheckChild() {}

  /**
   * Runs the cases [from, to).
   *
   * @param arguments backend, seed, from, to, threads, directory for the cases (or empty)
   */
  public static void main(String[] arguments) throws InterruptedException {
    String backend = arguments[0];
    long seed = Long.parseLong(arguments[1]);
    AtomicLong next = new AtomicLong(Long.parseLong(arguments[2]));
    long to = Long.parseLong(arguments[3]);
    int threads = Integer.parseInt(arguments[4]);
    Path dump = arguments[5].isEmpty() ? null : Path.of(arguments[5]);
    Device device = Device.byName(backend);
    List<Thread> workers = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      Runnable work =
          () -> {
            for (long i = next.getAndIncrement(); i < to; i = next.getAndIncrement()) {
              say("S " + i);
              say(run(seed, i, device, dump));
            }
          };
      workers.add(Thread.ofPlatform().start(work));
    }
    for (Thread worker : workers) {
      worker.join();
    }
  }

  private static String run(long seed, long index, Device device, Path dump) {
    try {
      AttentionCase c = CaseGenerator.generate(seed, index, Limits.of(device.name()));
      Precision precision = Precision.of(device.name());
      if (dump != null) { // before it runs: it may be the one that crashes
        CaseFile.write(dump.resolve("case-" + seed + "-" + index + ".fovcase"), c, precision);
      }
      Operands data = Operands.of(c);
      Oracle.Outputs expected = Oracle.run(c, data, precision);
      try (CaseRun run = new CaseRun(c, data, device)) {
        String wrong = run.run().compare(expected);
        if (wrong != null) {
          return "F " + index + " wrong " + oneLine(wrong);
        }
        AttentionPlan plan = run.plan();
        double worst = Comparison.worstRatio(run.out(), expected.out());
        return "P %d %.4f %d %d".formatted(index, worst, plan.tileQueries(), plan.tileKeys());
      }
    } catch (Throwable failure) {
      StackTraceElement[] trace = failure.getStackTrace();
      String at = trace.length == 0 ? "" : " at " + trace[0];
      return "F " + index + " error " + oneLine(failure + at);
    }
  }

  private static String oneLine(String text) {
    return text.replace('\n', ' ').replace('\r', ' ');
  }

  private static void say(String line) {
    System.out.println(PREFIX + line);
    System.out.flush();
  }
}

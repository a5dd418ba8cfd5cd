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
   * @param arguments backend, seed, from, to, threads, directory for the cases (or empty),
   *     operation
   */
  public static void main(String[] arguments) throws InterruptedException {
    String backend = arguments[0];
    long seed = Long.parseLong(arguments[1]);
    AtomicLong next = new AtomicLong(Long.parseLong(arguments[2]));
    long to = Long.parseLong(arguments[3]);
    int threads = Integer.parseInt(arguments[4]);
    Path dump = arguments[5].isEmpty() ? null : Path.of(arguments[5]);
    Operation operation = Operation.valueOf(arguments[6]);
    Device device = Device.byName(backend);
    List<Thread> workers = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      Runnable work =
          () -> {
            for (long i = next.getAndIncrement(); i < to; i = next.getAndIncrement()) {
              say("S " + i);
              say(run(operation, seed, i, device, dump));
            }
          };
      workers.add(Thread.ofPlatform().start(work));
    }
    for (Thread worker : workers) {
      worker.join();
    }
  }

  private static String run(Operation operation, long seed, long index, Device device, Path dump) {
    try {
      CheckedCase c = operation.generate(seed, index, Limits.of(device.name()));
      if (dump != null) { // before it runs: it may be the one that crashes
        Path file = dump.resolve(operation + "-" + seed + "-" + index + ".fovcase");
        CaseFile.write(file, c, Precision.of(device.name()));
      }
      CheckedCase.Result result = c.check(device);
      if (result.wrong() != null) {
        return "F " + index + " wrong " + oneLine(result.wrong());
      }
      AttentionPlan plan = result.plan();
      return "P %d %.4f %d %d"
          .formatted(index, result.worst(), plan.tileQueries(), plan.tileKeys());
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

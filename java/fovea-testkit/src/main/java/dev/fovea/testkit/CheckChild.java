package dev.fovea.testkit;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import java.io.IOException;
import java.io.OutputStream;
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
 * @@P index worst bits rows keys kernel  passed; worst error in units of what is allowed, {@link Bits},
 *                                        the tile, and what ran
 * @@F index kind message                 failed
 * </pre>
 *
 * <p>Standard input says nothing, and ends when the parent does, however that came about: then this
 * process ends too.
 */
public final class CheckChild {

  static final String PREFIX = "@@";

  /** Exit code when the parent is gone: nobody reads it. */
  private static final int ORPHAN = 1;

  private CheckChild() {}

  /**
   * Runs the cases [from, to).
   *
   * @param arguments backend, seed, from, to, threads, directory for the cases (or empty),
   *     operation, pass
   */
  public static void main(String[] arguments) throws InterruptedException, IOException {
    Thread.ofPlatform().daemon().start(CheckChild::endWithParent);
    String backend = arguments[0];
    long seed = Long.parseLong(arguments[1]);
    AtomicLong next = new AtomicLong(Long.parseLong(arguments[2]));
    long to = Long.parseLong(arguments[3]);
    int threads = Integer.parseInt(arguments[4]);
    Path dump = arguments[5].isEmpty() ? null : Path.of(arguments[5]);
    Operation operation = Operations.of(arguments[6]);
    Pass pass = Pass.valueOf(arguments[7]);
    Device device = CleanExit.finish(() -> loaded(backend));
    List<Thread> workers = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      Runnable work =
          () -> {
            for (long i = take(next, to); i < to; i = take(next, to)) {
              say("S " + i);
              say(run(operation, pass, seed, i, device, dump));
            }
          };
      workers.add(Thread.ofPlatform().start(work));
    }
    for (Thread worker : workers) {
      worker.join();
    }
  }

  /** Blocks until the parent has ended or has nothing left to ask. */
  static void endWithParent() {
    try {
      System.in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      // It has ended in some other way.
    }
    System.exit(ORPHAN);
  }

  /** Its library is extracted here and now, where an exit waits for it. */
  private static Device loaded(String backend) {
    Device device = Device.byName(backend);
    device.description();
    return PoisonedDevice.of(device);
  }

  /** The next case, or {@code to} for ever. */
  private static long take(AtomicLong next, long to) {
    return next.getAndUpdate(i -> i < to ? i + 1 : to);
  }

  private static String run(
      Operation operation, Pass pass, long seed, long index, Device device, Path dump) {
    try {
      CheckedCase c = operation.generate(pass, seed, index, Limits.of(device.name()));
      if (dump != null) { // before it runs: it may be the one that crashes
        Path file = dump.resolve(operation + "-" + pass + "-" + seed + "-" + index + ".fovcase");
        CaseFile.write(file, c, device.name());
      }
      CheckedCase.Result result = c.check(device);
      if (result.wrong() != null) {
        return "F " + index + " wrong " + oneLine(result.wrong());
      }
      AttentionPlan plan = result.plan();
      String bits = Long.toHexString(Bits.of(index, result.outputs()));
      return "P %d %.4f %s %d %d %s"
          .formatted(
              index,
              result.worst(),
              bits,
              plan.tileQueries(),
              plan.tileKeys(),
              plan.kernel().replace(' ', '_'));
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

package dev.fovea.bench;

import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.NativeLibrary;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Option;

/** What the programs behind bench/run have in common: one process measures and writes a report. */
abstract class Comparison implements Callable<Integer> {

  /** What the session before this one may have left of load, above a thread a core. */
  private static final double OURS = 0.3;

  @Option(names = "--threads", defaultValue = "1", description = "of each side")
  int threads;

  @Option(names = "--rounds", defaultValue = "9", description = "of turns")
  int rounds;

  @Option(names = "--results", required = true, description = "folder of the JSON")
  Path results;

  @Option(names = "--append", description = "to the report of the session before")
  boolean append;

  abstract String benchmark();

  abstract Report measure() throws Exception;

  @Override
  public Integer call() throws Exception {
    double load = Machine.load();
    if (load > Runtime.getRuntime().availableProcessors() + OURS) {
      System.err.printf(
          "Others use this machine, its load is %.1f: these figures will not be good.%n", load);
    }
    long start = System.nanoTime();
    Report report = measure();
    double seconds = Math.round((System.nanoTime() - start) * 1e-9);
    report.sessions().add(new Report.Session(threads, rounds, Report.environment(), load, seconds));
    Path file = Report.file(results, benchmark());
    (append ? Report.read(file).append(report) : report).write(file);
    System.out.println(file);
    return 0;
  }

  /** The library that runs. */
  static String foveaVersion() {
    NativeLibrary library = Devices.backend(Device.cpu()).library();
    return library.version() + ", " + library.build();
  }
}

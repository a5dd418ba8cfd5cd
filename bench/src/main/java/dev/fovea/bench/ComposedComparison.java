package dev.fovea.bench;

import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.testkit.Pass;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A mechanism, forward and backward, beside the same thing composed from libtorch's operations:
 * time, peak memory, and what part of the machine it uses. One process for each number of threads.
 */
@Command(name = "bench/run", mixinStandardHelpOptions = true)
public final class ComposedComparison extends Comparison {

  private static final double TURN_SECONDS = 0.02;
  private static final double BUDGET_SECONDS = 4;

  /** Of the memory that is there, what a composition may need to be run. */
  private static final double FITTING = 0.8;

  @Option(names = "--mechanism", required = true, description = "which, as bench/run names it")
  private Mechanism mechanism;

  @Option(names = "--pass", description = "only this: forward or backward")
  private Pass pass;

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new ComposedComparison())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  String benchmark() {
    return mechanism.benchmark();
  }

  @Override
  Report measure() throws Exception {
    Report report = Report.begin(benchmark(), versions(new Libtorch(threads)));
    Settings settings = new Settings(rounds, TURN_SECONDS, BUDGET_SECONDS);
    ComposedMeasurement measurement = new ComposedMeasurement(threads, settings, true);
    for (ComposedProblem problem : mechanism.problems(threads)) {
      if (pass != null && pass != problem.pass()) {
        continue;
      }
      if (problem.composedBytes() > FITTING * Machine.availableBytes()) {
        System.out.println(problem + ": left out, libtorch's memory does not fit");
        continue;
      }
      Row row = measurement.measure(problem);
      report.rows().add(row);
      System.out.printf("%-75s  %s  %s%n", problem, row.figures(), row.ratios());
    }
    return report;
  }

  private static Map<String, String> versions(Libtorch libtorch) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("fovea", foveaVersion());
    versions.put("libtorch", libtorch.version());
    return versions;
  }
}

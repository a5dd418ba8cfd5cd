package dev.fovea.bench;

import dev.fovea.bench.Report.Row;
import java.util.LinkedHashMap;
import java.util.Map;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Runs {@link CallBenchmark} under JMH with its GC profiler, the two sides in turns, a fork each:
 * what counts is the median of the forks' differences.
 */
@Command(name = "bench/run call", mixinStandardHelpOptions = true)
public final class CallCost extends Comparison {

  static final String OVER = "over the bare downcall ns";
  static final String ALLOCATED = "allocated B/op";

  /** Bytes an operation below which it allocates nothing: JMH's own threads allocate a little. */
  private static final double NOISE = 0.5;

  /** By how much of itself the bare downcall may seem dearer than the call around it. */
  private static final double TOLERANCE = 0.1;

  @Option(names = "--forks", defaultValue = "5", description = "JVMs for each side")
  private int forks;

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new CallCost()).execute(args));
  }

  @Override
  String benchmark() {
    return "call";
  }

  @Override
  Report measure() throws Exception {
    Report report = Report.begin(benchmark(), Map.of("fovea", foveaVersion()));
    double[] bare = new double[forks];
    double[] call = new double[forks];
    double[] over = new double[forks];
    double[] allocated = new double[forks];
    for (int fork = 0; fork < forks; fork++) {
      bare[fork] = nanoseconds(run("bareDowncall"));
      RunResult result = run("attentionCall");
      call[fork] = nanoseconds(result);
      over[fork] = call[fork] - bare[fork];
      allocated[fork] = allocated(result);
      System.out.printf(
          "fork %d: bare downcall %.1f ns, call %.1f ns, %.4f B/op%n",
          fork + 1, bare[fork], call[fork], allocated[fork]);
    }
    report.rows().add(row(bare, call, over, allocated));
    return report;
  }

  private static Row row(double[] bare, double[] call, double[] over, double[] allocated) {
    if (Rounds.median(over) < -TOLERANCE * Rounds.median(bare)) {
      throw new ImpossibleFigureException(
          "the call took %.1f ns less than the downcall inside it: others use this machine"
              .formatted(-Rounds.median(over)));
    }
    Row row = Row.of(new LinkedHashMap<>(Map.of("shape", "B 1, S 1, H 1, D 16, float32")));
    row.figure("bare downcall ns", Rounds.median(bare));
    row.figure("AttentionCall.run ns", Rounds.median(call));
    row.figure(OVER, Rounds.median(over));
    double bytes = Rounds.median(allocated);
    row.figure(ALLOCATED, bytes < NOISE ? 0 : bytes);
    row.check("allocated B/op, with JMH's noise", bytes);
    row.rounds().put("forks", over.length);
    return row;
  }

  private static RunResult run(String side) throws RunnerException {
    Options options =
        new OptionsBuilder()
            .include(CallBenchmark.class.getName() + "." + side + "$")
            .addProfiler(GCProfiler.class)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.SILENT)
            .forks(1)
            .build();
    return new Runner(options).runSingle();
  }

  /** The median over the iterations: a hiccup of the machine spoils a mean. */
  private static double nanoseconds(RunResult result) {
    return Rounds.median(
        result.getAggregatedResult().getIterationResults().stream()
            .mapToDouble(iteration -> iteration.getPrimaryResult().getScore())
            .toArray());
  }

  @SuppressWarnings("rawtypes") // as JMH declares it
  private static double allocated(RunResult result) {
    for (Map.Entry<String, Result> entry : result.getSecondaryResults().entrySet()) {
      if (entry.getKey().endsWith("gc.alloc.rate.norm")) {
        return entry.getValue().getScore();
      }
    }
    throw new IllegalStateException("JMH's GC profiler gave no gc.alloc.rate.norm");
  }
}

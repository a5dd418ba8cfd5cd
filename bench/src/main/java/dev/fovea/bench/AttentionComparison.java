package dev.fovea.bench;

import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.ffi.OpenBlas;
import dev.fovea.testkit.Pass;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * CPU attention, or its backward pass, beside libtorch's scaled_dot_product_attention and beside
 * OpenBLAS sgemm. One process for each number of threads: peers read theirs when they start.
 */
@Command(name = "bench/run attention", mixinStandardHelpOptions = true)
public final class AttentionComparison extends Comparison {

  private static final double TURN_SECONDS = 0.02;
  private static final double BUDGET_SECONDS = 3;

  @Option(names = "--pass", description = "forward or backward; default ${DEFAULT-VALUE}")
  private Pass pass = Pass.FORWARD;

  @Option(names = "--sequences", split = ",", description = "only these of 512,1024,2048,4096")
  private List<Integer> sequences = List.of();

  @Option(names = "--dtypes", split = ",", description = "only these of float32,float16,bfloat16")
  private List<String> dtypes = List.of();

  @Option(
      names = "--python",
      description = "interpreter of an environment with PyTorch, which is then a peer, too")
  private String python;

  /** Started by bench/run. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new AttentionComparison())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  String benchmark() {
    return pass == Pass.FORWARD ? "attention" : "backward";
  }

  @Override
  Report measure() throws Exception {
    Libtorch libtorch = new Libtorch(threads);
    try (Sgemm sgemm = new Sgemm(Sgemm.SIZE, threads);
        PyTorch pytorch = python == null ? null : new PyTorch(python, threads)) {
      Report report = Report.begin(benchmark(), versions(libtorch, pytorch));
      Ceiling ceiling = new Ceiling(MachineUnit.FLOP);
      ceiling.measure();
      Settings settings = new Settings(rounds, TURN_SECONDS, BUDGET_SECONDS);
      AttentionMeasurement measurement =
          new AttentionMeasurement(threads, settings, libtorch, pytorch, sgemm, ceiling);
      for (AttentionProblem problem : AttentionGrid.problems(pass, threads)) {
        if (isAsked(problem)) {
          Row row = measurement.measure(problem);
          report.rows().add(row);
          System.out.println(line(problem, row));
        }
      }
      return report;
    }
  }

  private boolean isAsked(AttentionProblem problem) {
    return (sequences.isEmpty() || sequences.contains(problem.sequence()))
        && (dtypes.isEmpty() || dtypes.contains(problem.dtypeName()));
  }

  private static Map<String, String> versions(Libtorch libtorch, PyTorch pytorch) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("fovea", foveaVersion());
    versions.put("libtorch", libtorch.version());
    if (pytorch != null) {
      versions.put("pytorch", pytorch.version());
    }
    versions.put("openblas", OpenBlas.config());
    return versions;
  }

  private static String line(AttentionProblem problem, Row row) {
    StringBuilder line = new StringBuilder(String.format("%-55s", problem));
    row.figures()
        .forEach(
            (name, value) ->
                line.append("  ").append(name.replace(" GFLOP/s", "")).append(' ').append(value));
    row.ratios()
        .forEach((name, value) -> line.append("  /").append(name).append(' ').append(value));
    return line.toString();
  }
}

package dev.fovea.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.cli.files.Reason;
import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Random cases over all features against the fp64 oracle. */
@Command(
    name = "check",
    description = {
      "Compare random cases over all features with an oracle in double precision.",
      "Cases run in a child process, so that a crash names its case. Exit code 1 if a case fails or"
          + " the features are not covered."
    })
final class CheckCommand extends CliCommand {

  /** What {@code --op} takes. */
  static final class OperationNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Operations.all().stream().map(Operation::toString).iterator();
    }
  }

  @Mixin private DeviceOption device;

  @Option(
      names = "--op",
      defaultValue = "attention",
      paramLabel = "OPERATION",
      completionCandidates = OperationNames.class,
      description = "What to check: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private Operation operation;

  @Option(
      names = "--pass",
      defaultValue = "forward",
      paramLabel = "PASS",
      description = "Which pass of it: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private Pass pass;

  @Option(
      names = "--cases",
      defaultValue = "1000",
      paramLabel = "N",
      description = "Number of cases; default ${DEFAULT-VALUE}.")
  private long cases;

  @Option(
      names = "--seed",
      defaultValue = "1",
      paramLabel = "S",
      description = "Seed of the cases; default ${DEFAULT-VALUE}.")
  private long seed;

  @Option(names = "--case", paramLabel = "I", description = "Run this case alone.")
  private Long only;

  @Option(names = "--threads", paramLabel = "N", description = "Cases at a time.")
  private Integer threads;

  @Option(
      names = "--timeout",
      defaultValue = "120",
      paramLabel = "SECONDS",
      description = "Without a finished case for so long, it hangs; default ${DEFAULT-VALUE}.")
  private long timeout;

  @Option(
      names = "--dump",
      paramLabel = "DIRECTORY",
      description = "Write each case to this directory, for fovea_replay.")
  private Path dump;

  @Option(names = "--fail-fast", description = "Stop at the first case that fails.")
  private boolean failFast;

  @Override
  public Integer call() throws Exception {
    int workers = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    atLeast("--cases", cases, 0);
    between("--threads", workers, 1, CheckOptions.MOST_THREADS);
    atLeast("--timeout", timeout, 1);
    if (only != null) {
      between("--case", only, 0, CheckOptions.LAST_CASE);
    }
    String backend = device.device().name(); // what is wrong with it is said here, not by a child
    CheckOptions options =
        new CheckOptions(
            backend,
            operation,
            pass,
            cases,
            seed,
            only == null ? -1 : only,
            workers,
            Duration.ofSeconds(timeout),
            dump,
            failFast);
    if (dump != null) {
      makeFolder(dump);
    }
    CheckReport report = CheckRunner.run(options);
    text().print(report.summary());
    text().printf("%d passed, %d failed%n", report.passed(), report.failed());
    document(json(report));
    return report.ok() ? 0 : Main.FAILED;
  }

  /** And tries it, before the work begins. */
  private static void makeFolder(Path folder) throws IOException {
    try {
      if (!Files.isDirectory(folder)) { // createDirectories refuses links to folders
        Files.createDirectories(folder);
      }
      WholeFile.begin(folder.resolve("case")).close();
    } catch (IOException e) {
      throw new IOException("--dump " + folder + " cannot be used: " + Reason.of(e), e);
    }
  }

  private static JsonObject json(CheckReport report) {
    JsonObject json = new JsonObject();
    json.addProperty("passed", report.passed());
    json.addProperty("failed", report.failed());
    json.addProperty("ok", report.ok());
    json.addProperty("backend", report.backend());
    json.addProperty("op", report.operation().toString());
    json.addProperty("pass", report.pass().toString());
    json.addProperty("cases", report.cases());
    json.addProperty("seed", report.seed());
    json.addProperty("bits", "%016x".formatted(report.bits()));
    json.addProperty("seconds", report.seconds());
    json.addProperty("worstErrorOfAllowed", report.worstError());
    JsonObject kernels = new JsonObject();
    report.kernels().forEach(kernels::addProperty);
    json.add("kernels", kernels);
    JsonArray failures = new JsonArray();
    for (CheckReport.Failure failure : report.failures()) {
      JsonObject one = new JsonObject();
      one.addProperty("index", failure.index());
      one.addProperty("kind", failure.kind());
      one.addProperty("message", failure.message());
      one.addProperty("repeat", failure.repeat());
      one.addProperty("case", failure.description());
      failures.add(one);
    }
    json.add("failures", failures);
    addCoverage(report, json);
    return json;
  }

  private static void addCoverage(CheckReport report, JsonObject json) {
    JsonObject coverage = new JsonObject();
    report
        .coverage()
        .forEach(
            (feature, counts) -> {
              JsonObject values = new JsonObject();
              counts.forEach(values::addProperty);
              coverage.add(feature, values);
            });
    json.add("coverage", coverage);
    JsonArray rarest = new JsonArray();
    for (CheckReport.PairCount pair : report.rarestPairs()) {
      JsonObject one = new JsonObject();
      one.addProperty("first", pair.first());
      one.addProperty("second", pair.second());
      one.addProperty("count", pair.count());
      rarest.add(one);
    }
    json.addProperty("pairs", report.pairs());
    json.add("rarestPairs", rarest);
    JsonObject sizes = new JsonObject();
    report
        .sizes()
        .forEach(
            (quantity, q) -> {
              JsonObject values = new JsonObject();
              values.addProperty("minimum", q.minimum());
              values.addProperty("median", q.median());
              values.addProperty("p90", q.p90());
              values.addProperty("p99", q.p99());
              values.addProperty("maximum", q.maximum());
              sizes.add(quantity, values);
            });
    json.add("sizes", sizes);
    json.addProperty("coverageJudged", report.coverageJudged());
    JsonArray below = new JsonArray();
    report.belowMinimum().forEach(below::add);
    json.add("belowMinimum", below);
  }
}

package dev.fovea.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Operation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

  @Mixin private DeviceOption device;

  @Option(
      names = "--op",
      defaultValue = "forward",
      paramLabel = "OPERATION",
      description = "What to check: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private Operation operation;

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

  @Option(
      names = "--case",
      defaultValue = "-1",
      paramLabel = "I",
      description = "Run this case alone.")
  private long only;

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
    if (cases < 0 || only < -1 || timeout < 1 || threads != null && threads < 1) {
      throw new IllegalArgumentException(
          "--cases and --case must be 0 or more, --threads and --timeout 1 or more");
    }
    String backend = device.device().name(); // an unknown name is said here, not by a child process
    CheckOptions options =
        new CheckOptions(
            backend,
            operation,
            cases,
            seed,
            only,
            threads == null ? Runtime.getRuntime().availableProcessors() : threads,
            Duration.ofSeconds(timeout),
            dump,
            failFast);
    if (dump != null) {
      Files.createDirectories(dump);
    }
    CheckReport report = CheckRunner.run(options);
    text().print(report.summary());
    text().printf("%d passed, %d failed%n", report.passed(), report.failed());
    document(json(report));
    return report.ok() ? 0 : Main.FAILED;
  }

  private static JsonObject json(CheckReport report) {
    JsonObject json = new JsonObject();
    json.addProperty("passed", report.passed());
    json.addProperty("failed", report.failed());
    json.addProperty("ok", report.ok());
    json.addProperty("backend", report.backend());
    json.addProperty("op", report.operation().toString());
    json.addProperty("cases", report.cases());
    json.addProperty("seed", report.seed());
    json.addProperty("seconds", report.seconds());
    json.addProperty("worstErrorOfAllowed", report.worstError());
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

package dev.fovea.bench;

import dev.fovea.bench.Libtorch.Kernel;
import dev.fovea.bench.Report.Row;
import dev.fovea.bench.Report.Session;
import dev.fovea.bench.Targets.Outcome;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** The part of the page about one instruction set of one processor, as Markdown. */
final class ResultsSection {

  private static final String GFLOPS = " GFLOP/s";

  private final List<Report> reports;
  private final StringBuilder text = new StringBuilder();

  ResultsSection(List<Report> reports) {
    this.reports = reports;
  }

  String text() {
    Report first = reports.getFirst();
    line(
        "## %s on %s",
        first.isa().toUpperCase(Locale.ROOT).replace("AVX512", "AVX-512"), first.machine().cpu());
    line("");
    provenance();
    targets();
    report("attention").ifPresent(report -> attention(report, "Attention"));
    report("backward").ifPresent(report -> attention(report, "Backward pass"));
    for (Mechanism mechanism : Mechanism.values()) {
      report(mechanism.benchmark()).ifPresent(report -> composed(report, mechanism));
    }
    report("encoder").ifPresent(this::encoder);
    report("training").ifPresent(this::training);
    report("call").ifPresent(this::call);
    report("conversions").ifPresent(this::conversions);
    return text.toString();
  }

  private void provenance() {
    Machine machine = reports.getFirst().machine();
    line(
        "%d cores%s, %d GiB, %s. %s; %s. Features: %s.",
        machine.cores(),
        machine.virtual() ? " of a virtual machine" : "",
        machine.memoryGiB(),
        machine.clock(),
        machine.kernel(),
        "JDK " + machine.jdk(),
        String.join(", ", machine.features()));
    line("");
    for (Report report : reports) {
      line("- %s: %s, commit `%s`", report.benchmark(), report.date(), report.commit());
      report.versions().forEach((name, version) -> line("  - %s: %s", name, version));
      for (Session session : report.sessions()) {
        line(
            "  - session of %.0f s: threads %d, rounds %d, load before %.2f%s",
            session.seconds(),
            session.threads(),
            session.rounds(),
            session.loadBefore(),
            environment(session.environment()));
      }
    }
    line("");
  }

  private static String environment(Map<String, String> environment) {
    StringBuilder text = new StringBuilder();
    environment.forEach(
        (name, value) -> {
          if (!name.startsWith("MALLOC_")) { // the same always
            text.append(", `%s=%s`".formatted(name, value));
          }
        });
    return text.toString();
  }

  private void targets() {
    List<Outcome> outcomes = Targets.evaluate(reports);
    if (outcomes.isEmpty()) {
      return;
    }
    heading("Speeds to reach");
    table("target", "wanted", "worst case", "median", "met", "where it is worst");
    for (Outcome outcome : outcomes) {
      row(
          outcome.text(),
          outcome.wanted(),
          number(outcome.worst()),
          number(outcome.median()),
          outcome.met() ? "yes" : "**no**",
          outcome.worstCase());
    }
    line("");
  }

  private void attention(Report report, String what) {
    Predicate<Row> float32 = row -> row.is("dtype", "float32");
    rows(report, what + ", float32, one thread", float32.and(row -> row.is("threads", 1)));
    rows(report, what + ", float32, two threads", float32.and(row -> row.is("threads", 2)));
    rows(report, what + ", float16 and bfloat16", float32.negate());
    line(
        "Half of all rounds lie within %.1f %% of the median ratio to libtorch, %.1f %% to sgemm.",
        100 * spread(report, Race.LIBTORCH), 100 * spread(report, AttentionMeasurement.SGEMM));
    if (report.rows().stream()
        .noneMatch(row -> row.parameters().containsKey(AttentionMeasurement.LIBTORCH_KERNEL))) {
      line("These figures of libtorch are older than the choice: its flash kernel everywhere.");
    }
    line("");
  }

  private void rows(Report report, String heading, Predicate<Row> which) {
    List<Row> rows = report.rows().stream().filter(which).toList();
    if (rows.isEmpty()) {
      return;
    }
    heading(heading);
    boolean narrow = !rows.getFirst().is("dtype", "float32");
    boolean twice = rows.stream().anyMatch(row -> row.is("threads", 2));
    List<String> columns = new ArrayList<>(List.of("order", "S", "D", "mask"));
    if (narrow) {
      columns.addFirst("dtype");
      columns.add("threads");
    }
    columns.addAll(List.of("GFLOP/s", "libtorch", "times libtorch"));
    boolean pytorch = rows.stream().anyMatch(row -> row.ratios().containsKey(Race.PYTORCH));
    if (pytorch) {
      columns.addAll(List.of("PyTorch", "times PyTorch"));
    }
    columns.add("of sgemm");
    if (narrow) {
      columns.addAll(List.of("of bfloat16 product", "of float32"));
    }
    columns.add(twice ? "times one thread" : "of peak");
    table(columns.toArray(String[]::new));
    for (Row row : rows) {
      List<String> cells = new ArrayList<>();
      if (narrow) {
        cells.add(row.parameters().get("dtype"));
      }
      for (String parameter : List.of("order", "sequence", "headDim", "mask")) {
        cells.add(row.parameters().get(parameter));
      }
      if (narrow) {
        cells.add(row.parameters().get("threads"));
      }
      cells.add(number(row.figures().get(Race.FOVEA + GFLOPS)));
      peer(cells, row, Race.LIBTORCH, AttentionMeasurement.LIBTORCH_KERNEL);
      if (pytorch) {
        peer(cells, row, Race.PYTORCH, AttentionMeasurement.PYTORCH_KERNEL);
      }
      cells.add(ratio(row, AttentionMeasurement.SGEMM));
      if (narrow) {
        cells.add(ratio(row, AttentionMeasurement.PRODUCT));
        cells.add(ratio(row, Race.FLOAT32));
      }
      cells.add(ratio(row, twice ? Race.ONE_THREAD : AttentionMeasurement.PEAK));
      row(cells.toArray(String[]::new));
    }
    line("");
  }

  private static void peer(List<String> cells, Row row, String name, String kernel) {
    cells.add(
        number(row.figures().get(name + GFLOPS)) + (row.is(kernel, Kernel.PLAIN) ? " plain" : ""));
    cells.add(ratio(row, name));
  }

  private void composed(Report report, Mechanism mechanism) {
    heading(mechanism.title());
    String unit = report.rows().getFirst().parameters().get(ComposedMeasurement.UNIT);
    table(
        "pass",
        "dtype",
        "shape",
        "threads",
        "ms",
        "libtorch",
        "times libtorch",
        "MiB",
        "libtorch",
        "times our memory",
        "G" + unit + "/s",
        unit + " a cycle and core",
        "of floor");
    for (Row row : report.rows()) {
      Map<String, String> parameters = row.parameters();
      Map<String, Double> figures = row.figures();
      row(
          parameters.get("pass"),
          parameters.get("dtype"),
          parameters.get("shape"),
          parameters.get("threads"),
          number(figures.get(Race.FOVEA + ComposedMeasurement.MILLISECONDS)),
          number(figures.get(Race.LIBTORCH + ComposedMeasurement.MILLISECONDS)),
          ratio(row, Race.LIBTORCH),
          number(figures.get(Race.FOVEA + ComposedMeasurement.MEBIBYTES)),
          number(figures.get(Race.LIBTORCH + ComposedMeasurement.MEBIBYTES)),
          ratio(row, ComposedMeasurement.MEMORY),
          number(figures.get(ComposedMeasurement.UNITS_A_SECOND)),
          number(figures.get(ComposedMeasurement.UNITS_A_CYCLE)),
          ratio(row, ComposedMeasurement.FLOOR));
    }
    line("");
    line(
        "Half of all rounds lie within %.1f %% of the median ratio to libtorch.",
        100 * spread(report, Race.LIBTORCH));
    line("");
  }

  /** Half the distance of the quartiles, relative: its median over the rows. */
  private static double spread(Report report, String ratio) {
    return Rounds.median(
        report.rows().stream()
            .filter(row -> row.quartiles().containsKey(ratio))
            .mapToDouble(
                row -> {
                  double[] quartiles = row.quartiles().get(ratio);
                  return (quartiles[1] - quartiles[0]) / 2 / row.ratios().get(ratio);
                })
            .toArray());
  }

  private void encoder(Report report) {
    heading("Sentence encoder beside ONNX Runtime");
    line(
        "%s sentences of 5 to 120 tokens, %s tokens in all, %s when padded; sentences a second."
            + " ONNX Runtime uses every instruction set of the CPU and has no switch for it.",
        report.rows().getFirst().parameters().get("sentences"),
        report.rows().getFirst().parameters().get("tokens"),
        report.rows().getFirst().parameters().get("padded tokens"));
    line("");
    table(
        "threads",
        "Fovea",
        "useful GFLOP/s",
        "padded",
        "one by one",
        "times padded",
        "times one by one");
    for (Row row : report.rows()) {
      row(
          row.parameters().get("threads"),
          number(row.figures().get(EncoderComparison.FOVEA + " sentences/s")),
          number(row.figures().get(EncoderComparison.FOVEA + " useful GFLOP/s")),
          number(row.figures().get(EncoderComparison.PADDED + " sentences/s")),
          number(row.figures().get(EncoderComparison.ONE_BY_ONE + " sentences/s")),
          ratio(row, EncoderComparison.PADDED),
          ratio(row, EncoderComparison.ONE_BY_ONE));
    }
    line("");
  }

  private void training(Report report) {
    Row row = report.rows().getFirst();
    heading("Training a transformer beside DJL");
    line(
        "%s layers of width %s and %s heads, %s sequences of %s tokens, float32, AdamW; tokens a"
            + " second, steps with the gradients and the new parameters. Losses after 10 steps are"
            + " %s apart.",
        row.parameters().get("layers"),
        row.parameters().get("width"),
        row.parameters().get("heads"),
        row.parameters().get("batch"),
        row.parameters().get("length"),
        number(row.checks().values().iterator().next()));
    line("");
    table("threads", "Fovea", "DJL, PyTorch", "times DJL");
    row(
        row.parameters().get("threads"),
        number(row.figures().get(TrainingComparison.FOVEA + TrainingComparison.TOKENS)),
        number(row.figures().get(TrainingComparison.DJL + TrainingComparison.TOKENS)),
        ratio(row, TrainingComparison.DJL));
    line("");
  }

  private void call(Report report) {
    heading("Cost of a call");
    Row row = report.rows().getFirst();
    line("`AttentionCall.run()` inline, with its plan made; %s.", row.parameters().get("shape"));
    line("");
    table("figure", "value");
    row.figures().forEach((name, value) -> row(name, number(value)));
    line("");
  }

  private void conversions(Report report) {
    heading("Conversions of types");
    line("`Tensor.copyFrom`, one thread, into a dense tensor; ns an element.");
    line("");
    List<String> sources =
        report.rows().stream().map(row -> row.parameters().get("source")).distinct().toList();
    List<String> columns = new ArrayList<>(List.of("types"));
    columns.addAll(sources);
    table(columns.toArray(String[]::new));
    report.rows().stream()
        .collect(
            Collectors.groupingBy(
                row -> row.parameters().get("types"), LinkedHashMap::new, Collectors.toList()))
        .forEach(
            (types, rows) -> {
              List<String> cells = new ArrayList<>(List.of(types));
              rows.forEach(
                  row -> cells.add(number(row.figures().get(ConversionSpeed.NANOSECONDS))));
              row(cells.toArray(String[]::new));
            });
    line("");
  }

  private Optional<Report> report(String benchmark) {
    return reports.stream().filter(report -> report.benchmark().equals(benchmark)).findFirst();
  }

  private static String ratio(Row row, String name) {
    return number(row.ratios().get(name));
  }

  private static String number(Double value) {
    if (value == null) {
      return "";
    }
    double size = Math.abs(value);
    return String.format(
        Locale.ROOT, size >= 100 || size == 0 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", value);
  }

  private void heading(String heading) {
    line("### %s", heading);
    line("");
  }

  private void table(String... columns) {
    row(columns);
    line("|%s", " --- |".repeat(columns.length));
  }

  private void row(String... cells) {
    line("| %s |", String.join(" | ", cells));
  }

  private void line(String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}

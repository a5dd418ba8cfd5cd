package dev.fovea.bench;

import dev.fovea.bench.Report.Row;
import dev.fovea.testkit.Pass;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;

/** The speeds to reach, and what was measured of them. */
final class Targets {

  /**
   * One speed to reach.
   *
   * @param text for people
   * @param benchmark whose rows count
   * @param rows which of them
   * @param ratio name of the ratio or figure
   * @param wanted to be reached by every row
   * @param atMost whether smaller is better
   */
  private record Target(
      String text,
      String benchmark,
      Predicate<Row> rows,
      String ratio,
      double wanted,
      boolean atMost) {}

  /**
   * What became of a target.
   *
   * @param text of the target
   * @param wanted bound, with its direction
   * @param worst value over the rows
   * @param worstCase the row that has it
   * @param median over the rows
   * @param rows that count
   * @param met whether all rows meet it
   */
  record Outcome(
      String text,
      String wanted,
      double worst,
      String worstCase,
      double median,
      int rows,
      boolean met) {

    /** One line for the terminal. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-4s %-64s %-8s worst %7.3f  median %7.3f  (%d; %s)",
          met ? "ok" : "MISS",
          text,
          wanted,
          worst,
          median,
          rows,
          worstCase);
    }
  }

  /** Those that name a row. */
  private static final List<String> PARAMETERS =
      List.of("pass", "dtype", "order", "shape", "sequence", "headDim", "mask", "threads");

  private static final String LIBTORCH = Race.LIBTORCH;
  private static final String SGEMM = AttentionMeasurement.SGEMM;
  private static final String OF_THE_PEAK = "of the FMA units' peak";
  private static final String OF_A_COPY = "of a copy's bytes a second";
  private static final String OF_READING = "of the bytes a second that all cores read";
  private static final String COMPOSED_MEMORY = ComposedMeasurement.MEMORY;

  private static final List<Target> ALL =
      List.of(
          forward(
              "of sgemm: BHSD full, S >= 1024",
              SGEMM,
              0.95,
              r -> bhsd(r) && full(r) && s(r) >= 1024),
          forward(
              "of sgemm: BHSD causal, S >= 1024",
              SGEMM,
              0.90,
              r -> bhsd(r) && !full(r) && s(r) >= 1024),
          forward("of sgemm: BSHD, S >= 1024", SGEMM, 0.88, r -> !bhsd(r) && s(r) >= 1024),
          forward(
              "times libtorch: BHSD full, D 64",
              LIBTORCH,
              1.5,
              r -> bhsd(r) && full(r) && r.is("headDim", 64)),
          forward(
              "times libtorch: BHSD full, D 128",
              LIBTORCH,
              1.3,
              r -> bhsd(r) && full(r) && r.is("headDim", 128)),
          forward("times libtorch: BHSD causal", LIBTORCH, 1.5, r -> bhsd(r) && !full(r)),
          forward(
              "times libtorch: BHSD causal, S 512",
              LIBTORCH,
              2.5,
              r -> bhsd(r) && !full(r) && s(r) == 512),
          new Target(
              "float16, bfloat16 of float32, one thread",
              "attention",
              r -> r.is("threads", 1),
              Race.FLOAT32,
              0.9,
              false),
          narrow("of oneDNN's bfloat16 product", "attention", AttentionMeasurement.PRODUCT, 0.85),
          narrow("of float32", "attention", Race.FLOAT32, 1.8),
          narrow("times PyTorch", "attention", Race.PYTORCH, 2),
          narrow("backward, of float32", "backward", Race.FLOAT32, 1.5),
          narrow("backward, times PyTorch", "backward", Race.PYTORCH, 1.5),
          new Target(
              "two threads, times one, S >= 2048",
              "attention",
              r -> r.is("threads", 2) && s(r) >= 2048,
              Race.ONE_THREAD,
              1.8,
              false),
          backward(
              "of sgemm: BHSD full, S >= 1024",
              SGEMM,
              0.9,
              r -> bhsd(r) && full(r) && s(r) >= 1024),
          backward(
              "of sgemm: BHSD causal, S >= 1024",
              SGEMM,
              0.9,
              r -> bhsd(r) && !full(r) && s(r) >= 1024),
          backward("of sgemm: BSHD, S >= 1024", SGEMM, 0.9, r -> !bhsd(r) && s(r) >= 1024),
          backward("times libtorch: full, S >= 1024", LIBTORCH, 1.5, r -> full(r) && s(r) >= 1024),
          backward(
              "times libtorch: causal, S >= 1024", LIBTORCH, 1.5, r -> !full(r) && s(r) >= 1024),
          composed(Mechanism.ADDITIVE, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(
              Mechanism.ADDITIVE, Pass.FORWARD, "libtorch's memory over ours", COMPOSED_MEMORY, 4),
          composed(Mechanism.ADDITIVE, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(
              Mechanism.ADDITIVE, Pass.BACKWARD, "libtorch's memory over ours", COMPOSED_MEMORY, 4),
          composed(Mechanism.BLOCKS, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.BLOCKS, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.LINEAR, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.LINEAR, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.PROJECTION, Pass.FORWARD, OF_THE_PEAK, ComposedMeasurement.FLOOR, 0.7),
          composed(
              Mechanism.PROJECTION, Pass.BACKWARD, OF_THE_PEAK, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.ROTARY, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.ROTARY, Pass.FORWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.ROTARY, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.ROTARY, Pass.BACKWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.DECODE, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.DECODE, Pass.FORWARD, OF_READING, ComposedMeasurement.FLOOR, 0.8),
          composed(Mechanism.CHANNEL, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.CHANNEL, Pass.FORWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.CHANNEL, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.CHANNEL, Pass.BACKWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.SPATIAL, Pass.FORWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.SPATIAL, Pass.FORWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          composed(Mechanism.SPATIAL, Pass.BACKWARD, "times libtorch", LIBTORCH, 2),
          composed(Mechanism.SPATIAL, Pass.BACKWARD, OF_A_COPY, ComposedMeasurement.FLOOR, 0.7),
          new Target(
              "encoder, times ONNX Runtime padded, one thread",
              "encoder",
              r -> r.is("threads", 1),
              EncoderComparison.PADDED,
              2.3,
              false),
          new Target(
              "encoder, times ONNX Runtime one by one, one thread",
              "encoder",
              r -> r.is("threads", 1),
              EncoderComparison.ONE_BY_ONE,
              1.15,
              false),
          new Target(
              "encoder, times ONNX Runtime one by one, two threads",
              "encoder",
              r -> r.is("threads", 2),
              EncoderComparison.ONE_BY_ONE,
              1.2,
              false),
          new Target(
              "training, times DJL with PyTorch",
              "training",
              r -> true,
              TrainingComparison.DJL,
              1.2,
              false),
          new Target(
              "a call over the bare downcall, ns", "call", r -> true, CallCost.OVER, 1000, true),
          new Target("a call allocates, B/op", "call", r -> true, CallCost.ALLOCATED, 0, true),
          new Target(
              "a conversion of types, ns an element",
              "conversions",
              r -> true,
              ConversionSpeed.NANOSECONDS,
              0.5,
              true));

  private Targets() {}

  private static Target forward(String text, String ratio, double wanted, Predicate<Row> rows) {
    return float32("float32, one thread, " + text, "attention", ratio, wanted, rows);
  }

  /** Of bfloat16, where the processor has instructions for its products. */
  private static Target narrow(String text, String benchmark, String ratio, double wanted) {
    return new Target(
        "bfloat16 by its instructions, one thread, S >= 1024: " + text,
        benchmark,
        r ->
            r.is("threads", 1)
                && s(r) >= 1024
                && r.ratios().containsKey(AttentionMeasurement.PRODUCT),
        ratio,
        wanted,
        false);
  }

  private static Target backward(String text, String ratio, double wanted, Predicate<Row> rows) {
    return float32("backward, float32, one thread, " + text, "backward", ratio, wanted, rows);
  }

  /** Of the mechanism's headline, on any number of threads. */
  private static Target composed(
      Mechanism mechanism, Pass pass, String text, String ratio, double wanted) {
    String shape = mechanism.headline(pass).shape();
    return new Target(
        "%s %s, %s: %s".formatted(mechanism.benchmark(), pass, shape, text),
        mechanism.benchmark(),
        r -> r.is("dtype", "float32") && r.is("pass", pass) && r.is("shape", shape),
        ratio,
        wanted,
        false);
  }

  private static Target float32(
      String text, String benchmark, String ratio, double wanted, Predicate<Row> rows) {
    return new Target(
        text,
        benchmark,
        r -> r.is("dtype", "float32") && r.is("threads", 1) && rows.test(r),
        ratio,
        wanted,
        false);
  }

  private static boolean bhsd(Row row) {
    return row.is("order", "BHSD");
  }

  private static boolean full(Row row) {
    return row.is("mask", "full");
  }

  private static int s(Row row) {
    return row.number("sequence");
  }

  /** The outcome of every target that {@code reports}, of one instruction set, have rows for. */
  static List<Outcome> evaluate(List<Report> reports) {
    List<Outcome> outcomes = new ArrayList<>();
    if (reports.getFirst().isa().equals("portable")) {
      return outcomes; // it is there to be right everywhere, not to be fast
    }
    for (Target target : ALL) {
      List<Row> rows =
          reports.stream()
              .filter(report -> report.benchmark().equals(target.benchmark))
              .flatMap(report -> report.rows().stream())
              .filter(target.rows)
              .filter(row -> value(row, target.ratio) != null)
              .sorted(Comparator.comparingDouble(row -> value(row, target.ratio)))
              .toList();
      if (!rows.isEmpty()) {
        outcomes.add(outcome(target, rows));
      }
    }
    return outcomes;
  }

  private static Outcome outcome(Target target, List<Row> rows) {
    Row worst = target.atMost ? rows.getLast() : rows.getFirst();
    double value = value(worst, target.ratio);
    double[] values = rows.stream().mapToDouble(row -> value(row, target.ratio)).toArray();
    return new Outcome(
        target.text,
        (target.atMost ? "<= " : ">= ") + number(target.wanted),
        value,
        name(worst),
        Rounds.median(values),
        rows.size(),
        target.atMost ? value <= target.wanted : value >= target.wanted);
  }

  private static Double value(Row row, String name) {
    Double ratio = row.ratios().get(name);
    return ratio != null ? ratio : row.figures().get(name);
  }

  private static String name(Row row) {
    List<String> words = new ArrayList<>();
    for (String parameter : PARAMETERS) {
      String value = row.parameters().get(parameter);
      if (value != null) {
        words.add(
            switch (parameter) {
              case "sequence" -> "S " + value;
              case "headDim" -> "D " + value;
              case "threads" -> value + (value.equals("1") ? " thread" : " threads");
              default -> value;
            });
      }
    }
    return String.join(" ", words);
  }

  private static String number(double value) {
    return value == Math.rint(value) ? String.valueOf((long) value) : String.valueOf(value);
  }
}

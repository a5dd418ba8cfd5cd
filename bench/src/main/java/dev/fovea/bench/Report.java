package dev.fovea.bench;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The figures of one benchmark with one instruction set, as they lie under bench/results/. Tables
 * and plots are made from nothing else.
 *
 * @param benchmark "call", "attention", "backward", "encoder", "training", "conversions" or that of
 *     a {@link Mechanism}
 * @param isa tier of Fovea's kernels
 * @param date of the first session, UTC
 * @param commit of the sources, with "-dirty" if they were changed
 * @param machine where
 * @param versions of Fovea and its peers
 * @param sessions processes that contributed
 * @param rows the figures
 */
record Report(
    String benchmark,
    String isa,
    String date,
    String commit,
    Machine machine,
    Map<String, String> versions,
    List<Session> sessions,
    List<Row> rows) {

  /** What bench/run says of the sources. */
  static final String COMMIT = "fovea.bench.commit";

  /** Variables that peers read: part of the setting of a figure. */
  private static final List<String> ENVIRONMENT =
      List.of(
          "OMP_NUM_THREADS",
          "OPENBLAS_NUM_THREADS",
          "OPENBLAS_CORETYPE",
          "ATEN_CPU_CAPABILITY",
          "ONEDNN_MAX_CPU_ISA",
          "GLIBC_TUNABLES",
          "MALLOC_ARENA_MAX",
          "MALLOC_MMAP_THRESHOLD_",
          "MALLOC_TRIM_THRESHOLD_");

  private static final Gson GSON =
      new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

  /**
   * One process.
   *
   * @param threads that each side had
   * @param rounds of turns
   * @param environment settings of the peers
   * @param loadBefore load average when it began: near 0 on a quiet machine
   * @param seconds it took
   */
  record Session(
      int threads,
      int rounds,
      Map<String, String> environment,
      double loadBefore,
      double seconds) {}

  /**
   * One case.
   *
   * @param parameters what was computed
   * @param figures absolute: medians over the rounds, in the unit that the name says
   * @param ratios how many times faster Fovea is than another: medians of each round's ratio; and
   *     how many times as much memory another needs
   * @param quartiles lower and upper, of the same ratios
   * @param rounds in which each contestant took part
   * @param checks what was found when the output was verified
   */
  record Row(
      Map<String, String> parameters,
      Map<String, Double> figures,
      Map<String, Double> ratios,
      Map<String, double[]> quartiles,
      Map<String, Integer> rounds,
      Map<String, Double> checks) {

    /** An empty row. */
    static Row of(Map<String, String> parameters) {
      return new Row(
          parameters,
          new LinkedHashMap<>(),
          new LinkedHashMap<>(),
          new LinkedHashMap<>(),
          new LinkedHashMap<>(),
          new LinkedHashMap<>());
    }

    /**
     * Enters how Fovea did against one contestant.
     *
     * @param work how much more work ours did than theirs
     */
    void compare(String as, Rounds measured, String ours, String theirs, double work) {
      ratios.put(as, rounded(work * measured.timesFaster(ours, theirs)));
      double[] quartiles = measured.quartiles(ours, theirs);
      this.quartiles.put(
          as, new double[] {rounded(work * quartiles[0]), rounded(work * quartiles[1])});
    }

    /** Enters a ratio that has no rounds. */
    void ratio(String as, double value) {
      ratios.put(as, rounded(value));
    }

    /** Enters a figure. */
    void figure(String name, double value) {
      figures.put(name, rounded(value));
    }

    /** Enters what a verification found. */
    void check(String name, double value) {
      checks.put(name, rounded(value));
    }

    boolean is(String parameter, Object value) {
      return String.valueOf(value).equals(parameters.get(parameter));
    }

    int number(String parameter) {
      return Integer.parseInt(parameters.get(parameter));
    }

    /** Four digits: more would pretend. */
    private static double rounded(double value) {
      return value == 0 || !Double.isFinite(value)
          ? value
          : new BigDecimal(value).round(new MathContext(4)).doubleValue();
    }
  }

  /** A report of this machine, now. */
  static Report begin(String benchmark, Map<String, String> versions) {
    return new Report(
        benchmark,
        Machine.tierName(),
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        System.getProperty(COMMIT, "unknown"),
        Machine.here(),
        new LinkedHashMap<>(versions),
        new ArrayList<>(),
        new ArrayList<>());
  }

  /** Where the report of a benchmark with this process's tier lies. */
  static Path file(Path folder, String benchmark) {
    return folder.resolve(benchmark + "-" + Machine.tierName() + ".json");
  }

  static Report read(Path file) throws IOException {
    return GSON.fromJson(Files.readString(file), Report.class);
  }

  /** Adds sessions and rows of {@code later}, which must come from the same sources. */
  Report append(Report later) {
    boolean same =
        benchmark.equals(later.benchmark)
            && isa.equals(later.isa)
            && commit.equals(later.commit)
            && machine.cpu().equals(later.machine.cpu());
    if (!same) {
      throw new IllegalArgumentException(
          "%s %s of %s is not the same run as that of %s: begin it anew"
              .formatted(benchmark, isa, later.commit, commit));
    }
    sessions.addAll(later.sessions);
    rows.addAll(later.rows);
    return this;
  }

  /** Writes the whole or nothing. */
  void write(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    Path part = folder.resolve(file.getFileName() + ".part");
    Files.writeString(part, GSON.toJson(this) + "\n");
    Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
  }

  static Map<String, String> environment() {
    Map<String, String> environment = new LinkedHashMap<>();
    for (String name : ENVIRONMENT) {
      String value = System.getenv(name);
      if (value != null) {
        environment.put(name, value);
      }
    }
    return environment;
  }
}

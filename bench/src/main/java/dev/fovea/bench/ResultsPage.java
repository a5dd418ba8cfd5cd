package dev.fovea.bench;

import dev.fovea.bench.Targets.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Makes the page and the plot from the reports, so that no figure is ever typed by hand. */
public final class ResultsPage {

  private static final List<String> ISAS = List.of("portable", "avx2", "avx512");
  private static final List<String> BENCHMARKS = List.of("call", "attention", "encoder");

  private ResultsPage() {}

  /**
   * Started by bench/run.
   *
   * @param args the folder with the reports
   */
  public static void main(String[] args) throws IOException {
    try {
      write(Path.of(args[0]));
    } catch (NoSuchFileException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  static void write(Path folder) throws IOException {
    List<List<Report>> all = read(folder);
    StringBuilder page = new StringBuilder(introduction(all));
    for (List<Report> reports : all) {
      page.append(new ResultsSection(reports).text());
      System.out.println(reports.getFirst().isa() + " on " + reports.getFirst().machine().cpu());
      for (Outcome outcome : Targets.evaluate(reports)) {
        System.out.println("  " + outcome);
      }
    }
    Files.writeString(folder.resolve("README.md"), page);
    RatioPlot.write(all, folder.resolve(RatioPlot.FILE));
    System.out.println(folder.resolve("README.md") + ", " + folder.resolve(RatioPlot.FILE));
  }

  /** The reports in {@code folder}, those of one instruction set together. */
  static List<List<Report>> read(Path folder) throws IOException {
    List<List<Report>> all = new ArrayList<>();
    for (String isa : ISAS.reversed()) {
      List<Report> reports = new ArrayList<>();
      for (String benchmark : BENCHMARKS) {
        Path file = folder.resolve(benchmark + "-" + isa + ".json");
        if (Files.exists(file)) {
          reports.add(Report.read(file));
        }
      }
      if (!reports.isEmpty()) {
        all.add(reports);
      }
    }
    if (all.isEmpty()) {
      throw new NoSuchFileException(folder.toString(), null, "no reports there: bench/run all");
    }
    return all;
  }

  private static String introduction(List<List<Report>> all) {
    boolean plot = all.stream().flatMap(List::stream).anyMatch(RatioPlot::shows);
    return Stream.of(
            "# Speed on the CPU",
            "",
            "Made by `bench/run table` from the JSON files beside it; measured by `bench/run all`.",
            "",
            "Sides take turns within each round; a ratio is the median of the rounds' ratios, a"
                + " speed the median of the rounds. Every output was verified first: rows of ours"
                + " against the float64 oracle, all of ours against libtorch's, sgemm against"
                + " float64, embeddings against ONNX Runtime's. Operations are those of unmasked"
                + " pairs, 2 (D + Dv) each. A figure above the peak of the multiply-add units would"
                + " have been refused. libtorch has its best setting: inference mode, the flash"
                + " kernel, one OpenMP thread a core, OpenBLAS inside it on one thread. *sgemm* is"
                + " OpenBLAS's product of two 1024 x 1024 matrices, on two threads one product"
                + " each; *peak* is what fused multiply-adds on registers reach.",
            "",
            plot ? "![Ratio to libtorch and to sgemm](" + RatioPlot.FILE + ")\n\n" : "")
        .reduce((a, b) -> a + "\n" + b)
        .orElseThrow();
  }
}

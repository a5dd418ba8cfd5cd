package dev.fovea.bench;

import dev.fovea.Device.Isa;
import dev.fovea.bench.Targets.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Makes the page and the plot from the reports, so that no figure is ever typed by hand. */
public final class ResultsPage {

  private static final List<String> ISAS = Stream.of(Isa.values()).map(Isa::text).toList();
  private static final List<String> BENCHMARKS =
      Stream.concat(
              Stream.of("call", "attention", "backward", "encoder", "training", "conversions"),
              Stream.of(Mechanism.values()).map(Mechanism::benchmark))
          .toList();

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
    System.out.println(folder.resolve("README.md"));
    for (RatioPlot plot : RatioPlot.values()) {
      if (plot.write(all, folder)) {
        System.out.println(folder.resolve(plot.file()));
      }
    }
  }

  /** The reports in {@code folder}, those of one instruction set and processor together. */
  static List<List<Report>> read(Path folder) throws IOException {
    List<List<Report>> all = new ArrayList<>();
    for (String isa : ISAS.reversed()) {
      Map<String, List<Report>> byProcessor = new LinkedHashMap<>();
      for (String benchmark : BENCHMARKS) {
        Path file = folder.resolve(benchmark + "-" + isa + ".json");
        if (Files.exists(file)) {
          Report report = Report.read(file);
          byProcessor.computeIfAbsent(report.machine().cpu(), cpu -> new ArrayList<>()).add(report);
        }
      }
      all.addAll(byProcessor.values());
    }
    if (all.isEmpty()) {
      throw new NoSuchFileException(folder.toString(), null, "no reports there: bench/run all");
    }
    return all;
  }

  private static String introduction(List<List<Report>> all) {
    return Stream.of(
            "# Speed on the CPU",
            "",
            "Made by `bench/run table` from the JSON files beside it; measured by `bench/run all`.",
            "",
            "Sides take turns within each round; a ratio is the median of the rounds' ratios, a"
                + " speed the median of the rounds. Every output was verified first: rows of ours"
                + " against the float64 oracle, all of ours against libtorch's, sgemm against"
                + " float64, embeddings against ONNX Runtime's. Operations are those of unmasked"
                + " pairs, 2 (D + Dv) each, in the backward pass 2.5 times that. A figure above the"
                + " peak of the multiply-add units would have been refused. libtorch has its best"
                + " setting: for each problem the faster of its flash and its *plain* kernel, which"
                + " holds all weights in memory; forward in inference mode, one OpenMP thread a"
                + " core, OpenBLAS inside it on one thread. *sgemm* is OpenBLAS's product of two"
                + " 1024 x 1024 matrices, on two threads one product each, *bfloat16 product*"
                + " oneDNN's of as large ones on all threads; *peak* is what fused multiply-adds on"
                + " registers reach. *PyTorch* is that of a Python environment (`--python`), a"
                + " process of its own that takes its turns, with the same choice of kernels.",
            "",
            "The backward pass is timed alone, from query, key, value, out, log-sum-exp and dout to"
                + " dquery, dkey and dvalue: ours as one `AttentionBackward.run()`, libtorch's as"
                + " one `torch::autograd::grad` through the graph of a forward pass that was run"
                + " before and is kept. Its flash kernel gives each head to one thread, and on"
                + " 16-bit types rounds the sums of its blocks to 16 bits; its plain kernel has the"
                + " weights from the forward pass, and so four products to do instead of five.",
            "",
            "Mechanisms for which libtorch has no operation stand beside the composition of its"
                + " operations that its user would write at best, in float32 whatever our type is;"
                + " malloc asks for huge pages there, which makes libtorch's backward passes up to"
                + " 1.6 times as fast. *memory* is the most at once, operands left out, of a"
                + " backward pass with what its forward pass leaves for it: ours is counted from"
                + " tensors and plan, libtorch's is the growth of the process's resident pages."
                + " *of floor* is the part of the time in which the busiest unit of the core, the"
                + " multiply-add units or the divider, would do alone what the pass needs of it.",
            "",
            plots(all))
        .reduce((a, b) -> a + "\n" + b)
        .orElseThrow();
  }

  private static String plots(List<List<Report>> all) {
    StringBuilder text = new StringBuilder();
    for (RatioPlot plot : RatioPlot.values()) {
      if (plot.shows(all)) {
        text.append("![%s](%s)\n\n".formatted(plot.title(), plot.file()));
      }
    }
    return text.toString();
  }
}

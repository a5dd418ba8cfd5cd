package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.bench.Libtorch.Kernel;
import dev.fovea.bench.Report.Row;
import dev.fovea.bench.Report.Session;
import dev.fovea.bench.Targets.Outcome;
import dev.fovea.testkit.Pass;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {

  @TempDir Path folder;

  private static Row row(String mask, int sequence, int threads, double libtorch, double sgemm) {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("dtype", "float32");
    parameters.put("order", "BHSD");
    parameters.put("sequence", "" + sequence);
    parameters.put("headDim", "64");
    parameters.put("mask", mask);
    parameters.put("threads", "" + threads);
    Row row = Row.of(parameters);
    row.figure("fovea GFLOP/s", 71.23456);
    Rounds rounds =
        new Rounds(
            List.of("fovea", "libtorch", "sgemm"),
            List.of(new double[] {1}, new double[] {libtorch}, new double[] {sgemm}));
    row.compare("libtorch", rounds, "fovea", "libtorch", 1);
    row.compare("sgemm", rounds, "fovea", "sgemm", 1);
    return row;
  }

  private static Report report(Row... rows) {
    return report("attention", rows);
  }

  private static Report report(String benchmark, Row... rows) {
    Report report = Report.begin(benchmark, Map.of("libtorch", "2.7.1"));
    report.sessions().add(new Session(1, 9, Map.of("OMP_NUM_THREADS", "1"), 0.1, 100));
    report.rows().addAll(List.of(rows));
    return report;
  }

  @Test
  void comesBackAsItWasWritten() throws IOException {
    Path file = Report.file(folder, "attention");
    Report written = report(row("full", 1024, 1, 1.6, 0.98));
    written.write(file);
    assertEquals(List.of(file), Files.list(folder).toList());
    Report read = Report.read(file);
    assertEquals(written.machine(), read.machine());
    assertEquals(written.sessions(), read.sessions());
    assertEquals(71.23, read.rows().getFirst().figures().get("fovea GFLOP/s"), "four digits");
    assertEquals(1.6, read.rows().getFirst().ratios().get("libtorch"));
  }

  @Test
  void appendsOnlyToTheSameRun() {
    Report both = report(row("full", 1024, 1, 2, 1)).append(report(row("full", 1024, 2, 2, 1)));
    assertEquals(2, both.rows().size());
    assertEquals(2, both.sessions().size());
    Report other = Report.begin("encoder", Map.of());
    assertThrows(IllegalArgumentException.class, () -> both.append(other));
  }

  @Test
  void targetsAreHeldByTheWorstRow() {
    Report report = report(row("full", 1024, 1, 1.6, 0.94), row("full", 2048, 1, 1.5, 1.2));
    List<Outcome> outcomes = Targets.evaluate(List.of(report));
    Outcome sgemm = outcomes.getFirst();
    assertFalse(sgemm.met());
    assertEquals(0.94, sgemm.worst());
    assertEquals(2, sgemm.rows());
    assertTrue(sgemm.worstCase().contains("S 1024"), sgemm.worstCase());
    assertTrue(sgemm.toString().startsWith("MISS"), sgemm.toString());
    Outcome libtorch =
        outcomes.stream().filter(o -> o.text().contains("libtorch")).findFirst().orElseThrow();
    assertTrue(libtorch.met(), "1.5 is reached");
  }

  @Test
  void theBackwardPassHasTargetsOfItsOwn() {
    Report report =
        report("backward", row("causal", 1024, 1, 1.6, 0.89), row("full", 512, 1, 1, 1));
    List<Outcome> outcomes = Targets.evaluate(List.of(report));
    assertEquals(List.of(false, true), outcomes.stream().map(Outcome::met).toList());
    assertTrue(outcomes.stream().allMatch(outcome -> outcome.text().startsWith("backward, ")));
  }

  @Test
  void aCallMayCostAtMostItsTarget() {
    Report report = Report.begin("call", Map.of());
    Row row = Row.of(Map.of("shape", "tiny"));
    row.figure(CallCost.OVER, 1001);
    row.figure(CallCost.ALLOCATED, 0);
    report.rows().add(row);
    List<Outcome> outcomes = Targets.evaluate(List.of(report));
    assertEquals(List.of(false, true), outcomes.stream().map(Outcome::met).toList());
  }

  @Test
  void makesPageAndPlots() throws IOException {
    report(
            row("full", 512, 1, 1.6, 0.98),
            row("causal", 512, 1, 2.5, 0.9),
            row("full", 512, 2, 1, 1))
        .write(Report.file(folder, "attention"));
    ResultsPage.write(folder);
    String page = Files.readString(folder.resolve("README.md"));
    assertTrue(page.contains("| BHSD | 512 | 64 | full | 71.2 |"), page);
    assertTrue(page.contains("Attention, float32, two threads"), page);
    assertPlot(RatioPlot.ATTENTION, page);
    assertFalse(page.contains(RatioPlot.BACKWARD.file()), page);

    assertTrue(page.contains("flash kernel everywhere"), page);

    Row plain = row("full", 512, 1, 1.6, 0.98);
    plain.figure("libtorch GFLOP/s", 44.5);
    plain.parameters().put(AttentionMeasurement.LIBTORCH_KERNEL, Kernel.PLAIN.toString());
    report("backward", plain).write(Report.file(folder, "backward"));
    Files.delete(Report.file(folder, "attention"));
    ResultsPage.write(folder);
    page = Files.readString(folder.resolve("README.md"));
    assertTrue(page.contains("| full | 71.2 | 44.5 plain |"), page);
    assertFalse(page.contains("flash kernel everywhere"), page);
    assertTrue(page.contains("Backward pass, float32, one thread"), page);
    assertPlot(RatioPlot.BACKWARD, page);
  }

  @Test
  void composedMechanismsHaveTargetsAndATable() throws IOException {
    Map<String, String> parameters = new LinkedHashMap<>();
    parameters.put("pass", "forward");
    parameters.put("dtype", "float32");
    parameters.put("shape", Mechanism.ADDITIVE.headline(Pass.FORWARD).shape());
    parameters.put("threads", "2");
    parameters.put(ComposedMeasurement.UNIT, "tanh");
    Row row = Row.of(parameters);
    row.figure("fovea ms", 6.8);
    row.figure("libtorch ms", 507);
    row.figure("fovea MiB", 0.4376);
    Rounds rounds =
        new Rounds(List.of("fovea", "libtorch"), List.of(new double[] {6.8}, new double[] {507}));
    row.compare("libtorch", rounds, "fovea", "libtorch", 1);
    row.ratio(ComposedMeasurement.MEMORY, 3.9);
    Report report = report("additive", row);
    List<Outcome> outcomes = Targets.evaluate(List.of(report));
    assertEquals(List.of(true, false), outcomes.stream().map(Outcome::met).toList());
    String name = "forward float32 B 1, Sq 1024, Sk 1024, H 1, A 64, Dv 64 2 threads";
    assertEquals(name, outcomes.getFirst().worstCase());
    report.write(Report.file(folder, "additive"));
    ResultsPage.write(folder);
    String page = Files.readString(folder.resolve("README.md"));
    assertTrue(page.contains("### Additive attention"), page);
    assertTrue(page.contains("| 2 | 6.80 | 507 | 74.6 | 0.44 |  | 3.90 |"), page);
  }

  @Test
  void figuresOfTwoProcessorsStandApart() throws IOException {
    report("attention", row("full", 512, 1, 1, 1)).write(Report.file(folder, "attention"));
    Path file = Report.file(folder, "backward");
    report("backward", row("full", 512, 1, 1, 1)).write(file);
    assertEquals(1, ResultsPage.read(folder).size());
    String here = "\"cpu\": \"" + Machine.here().cpu() + "\"";
    Files.writeString(file, Files.readString(file).replace(here, "\"cpu\": \"another\""));
    assertEquals(2, ResultsPage.read(folder).size());
  }

  private void assertPlot(RatioPlot plot, String page) throws IOException {
    assertTrue(page.contains("(" + plot.file() + ")"), page);
    BufferedImage image = ImageIO.read(folder.resolve(plot.file()).toFile());
    assertTrue(image.getWidth() >= 800 && image.getHeight() >= 800);
  }

  @Test
  void saysWhatToDoWithoutReports() {
    IOException refusal = assertThrows(IOException.class, () -> ResultsPage.read(folder));
    assertTrue(refusal.getMessage().contains("bench/run"), refusal.getMessage());
  }
}

package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckReport.Failure;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The runner of {@code ./fovea check}. */
class CheckRunnerTest {

  @Test
  void runsCasesInAChild() {
    CheckReport report = CheckRunner.run(CheckOptions.of("cpu").withCases(40).withSeed(9));
    assertEquals(40, report.passed(), report.summary());
    assertEquals(0, report.failed(), report.summary());
    assertTrue(report.ok());
    assertFalse(report.coverageJudged());
    assertTrue(report.worstError() > 0 && report.worstError() <= 1);
    assertTrue(report.sizes().containsKey("keys per row"));
  }

  @Test
  void runsBackwardCases() {
    CheckOptions options = CheckOptions.of("cpu").withPass(Pass.BACKWARD).withCases(20);
    CheckReport report = CheckRunner.run(options.withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(
        report.summary().contains("20 of 20 attention backward cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("gradients"));
  }

  @Test
  void theDigestOfBitsIsThatOfTheCases() {
    CheckOptions options = CheckOptions.of("cpu").withCases(8).withSeed(9);
    long bits = CheckRunner.run(options.withThreads(1)).bits();
    assertEquals(bits, CheckRunner.run(options.withThreads(3)).bits());
    assertNotEquals(bits, CheckRunner.run(options.withCases(7)).bits());
  }

  @Test
  void runsCasesOnTheSimulator() {
    CheckReport report = CheckRunner.run(CheckOptions.of("sim:sm_90").withCases(6).withSeed(9));
    assertEquals(6, report.passed(), report.summary());
    assertTrue(report.ok());
  }

  @Test
  void repeatsOneCase() {
    CheckReport report = CheckRunner.run(CheckOptions.of("cpu").withSeed(9).withOnlyCase(3));
    assertEquals(1, report.passed(), report.summary());
    assertTrue(report.ok());
  }

  @Test
  void namesWhatKillsOrStopsTheChild() throws Exception {
    List<String> program = List.of("-cp", Probe.classPath(), DyingChild.class.getName());
    CheckReport report =
        CheckRunner.run(
            CheckOptions.of("cpu").withCases(20).withTimeout(Duration.ofSeconds(4)), program);
    assertEquals(List.of("3 wrong", "5 crash", "11 crash", "17 hang"), failures(report));
    assertEquals(16, report.passed());
    assertEquals(4, report.failed());
    assertFalse(report.ok());
    Failure crash = report.failures().get(1);
    assertEquals("./fovea check --backend cpu --seed 1 --case 5", crash.repeat());
    assertTrue(crash.message().contains("134"), crash.message());
    assertTrue(report.summary().contains("off by one"));
    CheckOptions backward = CheckOptions.of("cpu").withPass(Pass.BACKWARD);
    Failure wrong = CheckRunner.run(backward.withOnlyCase(3), program).failures().get(0);
    assertEquals("./fovea check --backend cpu --pass backward --seed 1 --case 3", wrong.repeat());
  }

  @Test
  void stopsAtTheFirstFailureIfAsked() throws Exception {
    List<String> program = List.of("-cp", Probe.classPath(), DyingChild.class.getName());
    CheckOptions options = CheckOptions.of("cpu").withCases(20).withFailFast();
    CheckReport report = CheckRunner.run(options, program);
    assertEquals(List.of("3 wrong"), failures(report));
    assertEquals(3, report.passed());
    assertFalse(report.ok());
    CheckReport crashed = CheckRunner.run(options.withOnlyCase(5), program);
    assertEquals(List.of("5 crash"), failures(crashed));
  }

  private static List<String> failures(CheckReport report) {
    return report.failures().stream().map(f -> f.index() + " " + f.kind()).toList();
  }

  @Test
  void aChildThatCannotStartIsAnError() {
    assertThrows(
        IllegalStateException.class, () -> CheckRunner.run(CheckOptions.of("no such device")));
  }
}

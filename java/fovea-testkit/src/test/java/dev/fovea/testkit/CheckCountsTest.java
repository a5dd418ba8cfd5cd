package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckReport.Failure;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Every case is counted once, whatever becomes of the process that runs it. */
class CheckCountsTest {

  private static CheckReport run(int fault) throws Exception {
    List<String> program = List.of("-cp", Probe.classPath(), FaultyChild.class.getName());
    return CheckRunner.run(CheckOptions.of("cpu").withCases(5).withSeed(fault), program);
  }

  private static Failure onlyFailure(CheckReport report) {
    assertEquals(4, report.passed(), report.summary());
    assertEquals(1, report.failed(), report.summary());
    assertFalse(report.ok());
    return report.failures().getFirst();
  }

  @Test
  void aCaseThatEndedBeforeTheDeathHasNotPassed() throws Exception {
    Failure failure = onlyFailure(run(FaultyChild.DIES_AT_THE_END));
    assertEquals(4, failure.index());
    assertEquals("crash", failure.kind());
    assertTrue(failure.message().startsWith("exit code 3"), failure.message());
  }

  @Test
  void aCaseThatFailedBeforeTheDeathFailsOnce() throws Exception {
    Failure failure = onlyFailure(run(FaultyChild.WRONG_THEN_DIES));
    assertEquals("wrong", failure.kind());
    assertTrue(failure.message().startsWith("off by one; exit code 3"), failure.message());
  }

  @Test
  void aDeathThatNoCaseCausesAloneIsOneFailure() throws Exception {
    CheckReport report = run(FaultyChild.DIES_IN_COMPANY);
    // 0 and 1, then 2 and 3, then 4 alone.
    assertEquals(3, report.passed(), report.summary());
    assertEquals(List.of(0L, 2L), report.failures().stream().map(Failure::index).toList());
    assertTrue(report.failures().getFirst().message().contains("each alone survives"));
  }

  @Test
  void aCaseThatWasTakenButHadNotBegunIsNotLost() throws Exception {
    assertEquals(0, onlyFailure(run(FaultyChild.DIES_OUT_OF_ORDER)).index());
  }

  @Test
  void casesThatDidNotRunAreSaid() throws Exception {
    List<String> program = List.of("-cp", Probe.classPath(), DyingChild.class.getName());
    CheckOptions options = CheckOptions.of("cpu").withCases(20).withFailFast();
    String summary = CheckRunner.run(options, program).summary();
    assertTrue(summary.contains("3 of 20 attention forward cases passed, 1 failed"), summary);
    assertTrue(summary.contains("16 cases did not run"), summary);
  }

  @Test
  void aReportOfMoreResultsThanCasesIsRefused() {
    Failure failure = new Failure(0, "crash", "", "", "");
    assertThrows(IllegalArgumentException.class, () -> report(3, 3, List.of(failure)));
    assertEquals(2, report(3, 2, List.of(failure)).passed());
  }

  private static CheckReport report(long cases, long passed, List<Failure> failures) {
    return new CheckReport(
        "cpu",
        Operations.of("attention"),
        Pass.FORWARD,
        1,
        cases,
        passed,
        failures.size(),
        failures,
        0,
        0,
        0,
        Map.of(),
        Map.of(),
        List.of(),
        0,
        Map.of(),
        List.of(),
        false);
  }

  @Test
  void theLastCaseOfAllIsRun() {
    CheckOptions options = CheckOptions.of("cpu").withThreads(3);
    CheckReport report = CheckRunner.run(options.withOnlyCase(CheckOptions.LAST_CASE));
    assertEquals(1, report.passed(), report.summary());
    assertTrue(report.ok());
  }

  @Test
  void patienceMayBeEndless() {
    Duration endless = Duration.ofSeconds(Long.MAX_VALUE);
    CheckReport report = CheckRunner.run(CheckOptions.of("cpu").withCases(2).withTimeout(endless));
    assertEquals(2, report.passed(), report.summary());
  }

  @Test
  void numbersOutOfRangeAreRefusedByName() {
    CheckOptions options = CheckOptions.of("cpu");
    refused("cases is -1", () -> options.withCases(-1));
    refused("onlyCase is 9223372036854775807", () -> options.withOnlyCase(Long.MAX_VALUE));
    refused("onlyCase is -2", () -> options.withOnlyCase(-2));
    refused("threads is 0", () -> options.withThreads(0));
    refused("threads is 2147483647", () -> options.withThreads(Integer.MAX_VALUE));
    refused("timeout is PT0S", () -> options.withTimeout(Duration.ZERO));
  }

  private static void refused(String start, Runnable making) {
    IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, making::run);
    assertTrue(refusal.getMessage().startsWith(start), refusal.getMessage());
  }
}

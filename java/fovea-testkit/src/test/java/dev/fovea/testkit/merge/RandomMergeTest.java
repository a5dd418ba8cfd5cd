package dev.fovea.testkit.merge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestGroup;
import org.junit.jupiter.api.Test;

/** Seeded random cases; {@code ./fovea check --op merge} runs many more. */
class RandomMergeTest {

  private static final int CASES = 200;
  private static final int SIMULATED = 80;

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), 1);
    for (int i = 0; i < on.size(CASES, SIMULATED); i++) {
      failed.check(CaseGenerator.generate(on.seed(), i, on.limits()));
    }
    failed.orPass();
  }

  @Test
  void theRunnerTakesThem() {
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of("merge"));
    CheckReport report = CheckRunner.run(options.withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(report.summary().contains("20 of 20 merge forward cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("lses"));
  }
}

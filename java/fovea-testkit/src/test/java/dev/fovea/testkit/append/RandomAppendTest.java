package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestGroup;
import org.junit.jupiter.api.Test;

/** Seeded random cases; {@code ./fovea check --op append} runs many more. */
class RandomAppendTest {

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
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of("append"));
    CheckReport report = CheckRunner.run(options.withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(report.summary().contains("20 of 20 append forward cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("pages"));
    assertEquals(
        "append has no backward pass: nothing of it has a gradient",
        assertThrows(IllegalArgumentException.class, () -> options.withPass(Pass.BACKWARD))
            .getMessage());
  }
}

package dev.fovea.testkit.embedding;

import static org.junit.jupiter.api.Assertions.assertEquals;
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

/** Seeded random cases; {@code ./fovea check --op embedding} runs many more. */
class RandomEmbeddingTest {

  // Of each pass.
  private static final int CASES = 110;
  private static final int SIMULATED = 60;

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), 1);
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < on.size(CASES, SIMULATED); i++) {
        failed.check(CaseGenerator.generate(pass, on.seed(), i, on.limits()));
      }
    }
    failed.orPass();
  }

  @Test
  void theRunnerTakesThem() {
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of("embedding"));
    CheckReport report = CheckRunner.run(options.withPass(Pass.BACKWARD).withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(
        report.summary().contains("20 of 20 embedding backward cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("padding"));
  }
}

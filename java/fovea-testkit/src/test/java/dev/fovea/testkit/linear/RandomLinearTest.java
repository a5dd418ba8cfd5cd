package dev.fovea.testkit.linear;

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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Seeded random cases; {@code ./fovea check --op linear} runs many more. */
class RandomLinearTest {

  // Of each pass.
  private static final int CASES = 130;
  private static final int SIMULATED = 9;

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), 1);
    long seed = on.seed();
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < on.size(CASES, SIMULATED); i++) {
        failed.check(CaseGenerator.generate(pass, seed, i, on.limits()));
      }
    }
    failed.orPass();
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void theRunnerTakesThem(Pass pass) {
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of("linear"));
    CheckReport report = CheckRunner.run(options.withPass(pass).withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(
        report.summary().contains("20 of 20 linear " + pass + " cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("beta"));
  }
}

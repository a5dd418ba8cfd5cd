package dev.fovea.testkit.pairs;

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
import dev.fovea.testkit.pairs.PairCase.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Seeded random cases; {@code ./fovea check --op additive} and so on run many more. */
class RandomPairsTest {

  // Of each operation and pass.
  private static final int CASES = 90;
  private static final int SIMULATED = 8;

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), 1);
    long seed = on.seed();
    for (Kind kind : Kind.values()) {
      for (Pass pass : Pass.values()) {
        for (int i = 0; i < on.size(CASES, SIMULATED); i++) {
          failed.check(CaseGenerator.generate(kind, pass, seed, i, on.limits()));
        }
      }
    }
    failed.orPass();
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void theRunnerTakesThem(Pass pass) {
    for (Kind kind : Kind.values()) {
      theRunnerTakes(kind.table().name(), pass);
    }
  }

  private static void theRunnerTakes(String operation, Pass pass) {
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of(operation));
    CheckReport report = CheckRunner.run(options.withPass(pass).withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(
        report.summary().contains("20 of 20 " + operation + " " + pass + " cases passed"),
        report.summary());
    assertTrue(report.coverage().containsKey("pooling"));
  }
}

package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.image.ImageCase.Content;
import dev.fovea.testkit.image.ImageCase.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Seeded random cases; {@code ./fovea check --op channel} and spatial run many more. */
class RandomImageTest {

  // Of each pass and operation.
  private static final int CASES = 110;
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

  /** Sums of a convolution that began with the bias would round to it every time. */
  @OnEveryDevice
  void aBiasIsAddedLast(TestDevice on) {
    on.assumeCpu("a GPU has no kernels for images");
    Failed failed = new Failed(PoisonedDevice.of(on.device()), 1);
    for (int seed = 1; seed <= 6; seed++) {
      failed.check(
          new CaseBuilder(Kind.SPATIAL)
              .sizes(1, 2, 40, 40, 31)
              .content(Content.TINY, seed)
              .build());
    }
    failed.orPass();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theRunnerTakesThem(Kind kind) {
    String name = kind.table().name();
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of(name));
    CheckReport report = CheckRunner.run(options.withPass(Pass.BACKWARD).withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.ok());
    assertTrue(
        report.summary().contains("20 of 20 " + name + " backward cases passed"), report.summary());
    assertTrue(report.coverage().containsKey("xLayout"));
  }
}

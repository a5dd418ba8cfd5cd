package dev.fovea.testkit.attention;

import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.TestGroup;

/** Seeded random cases; {@code ./fovea check} runs many more. */
class RandomConformanceTest {

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present(), 1);
    long seed = on.seed();
    for (int i = 0; i < on.cases(); i++) {
      failed.check(CaseGenerator.generate(seed, i, on.limits()));
    }
    failed.orPass();
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;

/** Seeded random cases; {@code ./fovea check} runs many more. */
class RandomConformanceTest {

  @OnEveryDevice
  void randomCases(TestDevice on) {
    Failed failed = new Failed(on.device(), 1);
    // Another sequence for every device: together they cover more.
    long seed = 1000 + on.name().hashCode() % 1000;
    for (int i = 0; i < on.cases(); i++) {
      failed.check(CaseGenerator.generate(seed, i, on.limits()));
    }
    failed.orPass();
  }
}

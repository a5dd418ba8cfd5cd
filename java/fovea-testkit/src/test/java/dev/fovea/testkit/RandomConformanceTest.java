package dev.fovea.testkit;

/** Seeded random cases; {@code ./fovea check} runs many more. */
class RandomConformanceTest {

  private static final int CASES = 400;

  @OnEveryDevice
  void randomCases(TestDevice on) {
    Failed failed = new Failed(on.device());
    // Another sequence for every device: together they cover more.
    long seed = 1000 + on.name().hashCode() % 1000;
    for (int i = 0; i < CASES; i++) {
      failed.check(CaseGenerator.generate(seed, i));
    }
    failed.orPass();
  }
}

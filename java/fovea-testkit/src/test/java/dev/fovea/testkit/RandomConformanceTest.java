package dev.fovea.testkit;

/** Seeded random cases; {@code ./fovea check} runs many more. */
class RandomConformanceTest {

  private static final int CASES = 250;

  @OnEveryDevice
  void randomCases(TestDevice on) {
    Failed failed = new Failed(on.device());
    for (int i = 0; i < CASES; i++) {
      failed.check(CaseGenerator.generate(20_250_901, i));
    }
    failed.orPass();
  }
}

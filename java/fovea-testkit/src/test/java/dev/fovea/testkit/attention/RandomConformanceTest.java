package dev.fovea.testkit.attention;

import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.TestGroup;
import java.util.stream.IntStream;

/** Seeded random cases; {@code ./fovea check} runs many more. */
class RandomConformanceTest {

  private static final double MOST_SCORES = 5e5;

  /** One case in twenty has more scores: with them, oracles took twice the time. */
  static boolean isUsual(AttentionCase c) {
    return (double) c.visiblePairs() * c.geometry().queryHeads() <= MOST_SCORES;
  }

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present(), 1);
    long seed = on.seed();
    IntStream.iterate(0, i -> i + 1)
        .mapToObj(i -> CaseGenerator.generate(seed, i, on.limits()))
        .filter(RandomConformanceTest::isUsual)
        .limit(on.cases())
        .forEach(failed::check);
    failed.orPass();
  }
}

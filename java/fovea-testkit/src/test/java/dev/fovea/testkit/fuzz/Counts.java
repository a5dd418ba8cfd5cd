package dev.fovea.testkit.fuzz;

import java.util.Map;
import java.util.TreeMap;

/** What the steps of one thread did. */
final class Counts {
  long calls;
  long runs;
  long backwardRuns;
  final Map<String, Long> refusals = new TreeMap<>();

  void refused(RuntimeException why) {
    if (why.getMessage() == null || why.getMessage().isBlank()) {
      throw new AssertionError("refused without a reason", why);
    }
    refusals.merge(why.getClass().getSimpleName(), 1L, Long::sum);
  }

  void add(Counts other) {
    calls += other.calls;
    runs += other.runs;
    backwardRuns += other.backwardRuns;
    other.refusals.forEach((name, count) -> refusals.merge(name, count, Long::sum));
  }

  @Override
  public String toString() {
    return "%,d calls, %,d runs, %,d backward runs, refused: %s"
        .formatted(calls, runs, backwardRuns, refusals);
  }
}

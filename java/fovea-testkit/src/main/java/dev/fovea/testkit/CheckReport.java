package dev.fovea.testkit;

import java.util.List;
import java.util.Map;

/**
 * What a check found.
 *
 * @param backend device name
 * @param operation what the cases are of
 * @param pass which of its passes
 * @param seed of the cases
 * @param cases asked for
 * @param passed cases that were right
 * @param failed cases that were wrong, crashed or hung
 * @param failures one for each failed case, in order of the index
 * @param worstError largest error of a passed case in units of what is allowed
 * @param bits a digest of the outputs of all cases that passed, bit by bit: {@link Bits}
 * @param seconds wall time
 * @param kernels that ran, and of how many cases that passed
 * @param coverage of features, by feature and value
 * @param rarestPairs the pairs of feature values that were met least often
 * @param pairs number of different pairs of feature values that were met
 * @param sizes quantiles by quantity
 * @param belowMinimum committed minima that were not met; empty also when too few cases ran to
 *     judge
 * @param coverageJudged true if enough cases ran to hold them against the minima
 */
public record CheckReport(
    String backend,
    Operation operation,
    Pass pass,
    long seed,
    long cases,
    long passed,
    long failed,
    List<Failure> failures,
    double worstError,
    long bits,
    double seconds,
    Map<String, Integer> kernels,
    Map<String, Map<String, Integer>> coverage,
    List<PairCount> rarestPairs,
    int pairs,
    Map<String, Quantiles> sizes,
    List<String> belowMinimum,
    boolean coverageJudged) {

  /** Refuses numbers that contradict each other: a case passes or fails, once. */
  public CheckReport {
    if (failed != failures.size() || failed > cases || passed > cases - failed) {
      throw new IllegalArgumentException(
          "%d passed and %d failed, with %d failures, are no result of %d cases"
              .formatted(passed, failed, failures.size(), cases));
    }
  }

  /**
   * A case that failed.
   *
   * @param index of the case
   * @param kind "wrong", "error" (an exception), "crash" or "hang"
   * @param repeat command that repeats it
   * @param message what is wrong
   * @param description the case in words
   */
  public record Failure(
      long index, String kind, String repeat, String message, String description) {}

  /** How often two feature values met in one case. */
  public record PairCount(String first, String second, int count) {}

  /** The spread of a quantity over the cases. */
  public record Quantiles(int minimum, int median, int p90, int p99, int maximum) {}

  /** True if every case was right and the committed coverage was reached. */
  public boolean ok() {
    return failed == 0 && passed == cases && belowMinimum.isEmpty();
  }

  /** Some lines for people. */
  public String summary() {
    String newLine = System.lineSeparator();
    StringBuilder text = new StringBuilder();
    for (Failure failure : failures) {
      text.append(
          "%s: %s%n  %s%n  %s%n"
              .formatted(
                  failure.kind(), failure.message(), failure.repeat(), failure.description()));
    }
    text.append(
        "%s: %d of %d %s %s cases passed, %d failed, in %.1f s; largest error %.3f of what is allowed%n"
            .formatted(backend, passed, cases, operation, pass, failed, seconds, worstError));
    text.append("  digest of all output bits: %016x%n".formatted(bits));
    if (passed + failed < cases) {
      text.append("  %d cases did not run%n".formatted(cases - passed - failed));
    }
    kernels.forEach((name, count) -> text.append("  %s: %d%n".formatted(name, count)));
    sizes.forEach(
        (name, q) ->
            text.append(
                "  %s: %d to %d, median %d, 90 %% below %d, 99 %% below %d%n"
                    .formatted(name, q.minimum(), q.maximum(), q.median(), q.p90(), q.p99())));
    text.append("  %d pairs of feature values met".formatted(pairs));
    if (!rarestPairs.isEmpty()) {
      PairCount rarest = rarestPairs.get(0);
      text.append(
          ", rarest %s with %s: %d".formatted(rarest.first(), rarest.second(), rarest.count()));
    }
    text.append(coverageJudged ? "" : "; too few cases to judge coverage").append(newLine);
    belowMinimum.forEach(line -> text.append("  coverage too low: ").append(line).append(newLine));
    return text.toString();
  }
}

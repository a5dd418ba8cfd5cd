package dev.fovea.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Times contestants in turns, A B C, B C A, C A B, and so on, so that each round's ratio compares
 * what ran within the same fraction of a second.
 *
 * <p>Why not JMH: it runs all of A, minutes later all of B, in processes of their own. On shared
 * machines clocks and neighbours drift by more than the differences we look for, and the ratio of
 * two such averages says little. JMH is right where one nanosecond counts and the machine's mood
 * does not: {@link CallBenchmark}.
 */
public final class Interleaved {

  /** What is timed. */
  @FunctionalInterface
  public interface Work {
    /** Does it once. */
    void run() throws Exception;

    /** Does it {@code times} times. */
    default void run(int times) throws Exception {
      for (int i = 0; i < times; i++) {
        run();
      }
    }
  }

  /**
   * One side of a comparison.
   *
   * @param name unique among its rivals
   * @param work what is timed; it has run at least once before, to be verified
   * @param quietMillis how long its idle threads may go on spinning after it: OpenMP's and ONNX
   *     Runtime's do, and would be counted against whoever runs next
   */
  public record Contestant(String name, Work work, long quietMillis) {

    /** A contestant that leaves no spinning threads behind. */
    public Contestant(String name, Work work) {
      this(name, work, 0);
    }
  }

  /**
   * How to time.
   *
   * @param rounds of turns
   * @param turnSeconds the work is repeated until a turn takes at least this long
   * @param budgetSeconds for all turns of one contestant: one that is too slow for it sits out
   *     rounds, evenly spread, but not all
   */
  public record Settings(int rounds, double turnSeconds, double budgetSeconds) {}

  private Interleaved() {}

  /** Times {@code contestants} against each other. */
  public static Rounds run(List<Contestant> contestants, Settings settings) throws Exception {
    return run(contestants, settings, System::nanoTime);
  }

  /** The same by another clock, in nanoseconds. */
  static Rounds run(List<Contestant> contestants, Settings settings, LongSupplier clock)
      throws Exception {
    int count = contestants.size();
    int[] repeats = new int[count];
    int[] stride = new int[count];
    for (int i = 0; i < count; i++) {
      double once = seconds(contestants.get(i), 1, clock);
      if (once < settings.turnSeconds()) {
        once =
            Math.min(
                once, seconds(contestants.get(i), 1, clock)); // a hiccup would leave turns short
      }
      repeats[i] = (int) Math.clamp(Math.ceil(settings.turnSeconds() / once), 1, 1_000_000);
      double all = once * repeats[i] * settings.rounds();
      stride[i] = (int) Math.clamp(Math.ceil(all / settings.budgetSeconds()), 1, settings.rounds());
    }
    List<double[]> seconds = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double[] unknown = new double[settings.rounds()];
      Arrays.fill(unknown, Double.NaN);
      seconds.add(unknown);
    }
    for (int round = 0; round < settings.rounds(); round++) {
      for (int turn = 0; turn < count; turn++) {
        int i = (round + turn) % count;
        if (round % stride[i] == 0) {
          seconds.get(i)[round] = seconds(contestants.get(i), repeats[i], clock);
        }
      }
    }
    return new Rounds(contestants.stream().map(Contestant::name).toList(), seconds);
  }

  private static double seconds(Contestant contestant, int repeats, LongSupplier clock)
      throws Exception {
    long start = clock.getAsLong();
    contestant.work().run(repeats);
    double seconds = (clock.getAsLong() - start) * 1e-9 / repeats;
    if (contestant.quietMillis() > 0) {
      Thread.sleep(contestant.quietMillis());
    }
    return seconds;
  }
}

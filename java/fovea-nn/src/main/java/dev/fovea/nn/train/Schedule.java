package dev.fovea.nn.train;

/** The learning rate of every step. Schedules are pure: the same step has the same rate. */
@FunctionalInterface
public interface Schedule {
  /** The rate of step {@code step}; the first is 1. */
  double rate(int step);

  /** Always the same. */
  static Schedule constant(double rate) {
    requireRate(rate);
    return step -> rate;
  }

  /**
   * From {@code highest} in step 0 down to {@code lowest} in step {@code steps} and after it, along
   * half a wave of a cosine (Loshchilov and Hutter, SGDR, 2017, arXiv 1608.03983).
   */
  static Schedule cosine(double highest, double lowest, int steps) {
    requireRate(highest);
    requireRate(lowest);
    requireSteps("steps", steps);
    return step -> {
      double done = Math.min(1, (double) step / steps);
      return lowest + (highest - lowest) * 0.5 * (1 + Math.cos(Math.PI * done));
    };
  }

  /**
   * From {@code highest} in step 0 straight down to {@code lowest} in step {@code steps} and after
   * it.
   */
  static Schedule linear(double highest, double lowest, int steps) {
    requireRate(highest);
    requireRate(lowest);
    requireSteps("steps", steps);
    return step -> lowest + (highest - lowest) * (1 - Math.min(1, (double) step / steps));
  }

  /**
   * {@code highest} up to step {@code from}, then {@code highest * sqrt(from / step)}: with as much
   * {@linkplain #warmUp warm-up}, the schedule of Vaswani et al., 2017, arXiv 1706.03762, section
   * 5.3.
   */
  static Schedule inverseSquareRoot(double highest, int from) {
    requireRate(highest);
    requireSteps("from", from);
    return step -> highest * Math.sqrt((double) from / Math.max(from, step));
  }

  /** This schedule, times {@code step / steps} before step {@code steps}. */
  default Schedule warmUp(int steps) {
    requireSteps("steps", steps);
    return step -> rate(step) * Math.min(1, (double) step / steps);
  }

  private static void requireRate(double rate) {
    if (!(rate >= 0) || rate == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException("a rate is " + rate + ", expected a number of 0 or more");
    }
  }

  private static void requireSteps(String name, int steps) {
    if (steps < 1) {
      throw new IllegalArgumentException(name + " is " + steps + ", expected at least 1");
    }
  }
}

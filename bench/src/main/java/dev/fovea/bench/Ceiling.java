package dev.fovea.bench;

/**
 * What a unit of the machine can do at most, measured again and again while others are timed. A
 * figure above it is refused. Not thread-safe.
 */
final class Ceiling {

  /** A clock may rise between the turn of the peak and that of the figure. */
  static final double TOLERANCE = 1.05;

  private static final double PATIENCE_SECONDS = 0.5;

  private final MachineUnit unit;
  private double peak;

  Ceiling(MachineUnit unit) {
    this.unit = unit;
  }

  /** What a core does in a second, the most seen. */
  double peak() {
    return peak;
  }

  /** The peak was measured. */
  void saw(double perSecond) {
    peak = Math.max(peak, perSecond);
  }

  /**
   * Refuses what is above the bound.
   *
   * @param what for the text
   * @param perSecond the figure
   * @param cores that worked on it
   * @param factor by which a unit that the peak does not know may be faster
   */
  void check(String what, double perSecond, int cores, double factor) {
    if (above(perSecond, cores, factor)) {
      measure(); // neighbours may have held down the peak: look again before accusing anybody
    }
    if (above(perSecond, cores, factor)) {
      throw new ImpossibleFigureException(
          "%s: %.1f G%s/s, but the units of %d cores can do %.1f: refused"
              .formatted(what, perSecond * 1e-9, unit.text(), cores, peak * cores * factor * 1e-9));
    }
  }

  private boolean above(double perSecond, int cores, double factor) {
    return !(perSecond <= peak * cores * factor * TOLERANCE);
  }

  /** Measures the peak for a while. */
  void measure() {
    unit.warmUp();
    long begin = System.nanoTime();
    while ((System.nanoTime() - begin) * 1e-9 < PATIENCE_SECONDS) {
      long start = System.nanoTime();
      unit.run();
      saw(unit.work() / ((System.nanoTime() - start) * 1e-9));
    }
  }
}

package dev.fovea.bench;

/**
 * What the machine can do at most: the peak of its multiply-add units, measured again and again
 * while others are timed. A figure above it is refused. Not thread-safe.
 */
final class Ceiling {

  /** A clock may rise between the turn of the peak and that of the figure. */
  static final double TOLERANCE = 1.05;

  private static final double PATIENCE_SECONDS = 0.5;

  private double peak;

  /** Operations a second and core, the most seen. */
  double peak() {
    return peak;
  }

  /** The peak was measured. */
  void saw(double flopsPerSecond) {
    peak = Math.max(peak, flopsPerSecond);
  }

  /**
   * Refuses what is above the bound.
   *
   * @param what for the text
   * @param flopsPerSecond the figure
   * @param cores that worked on it
   * @param factor by which a unit that the peak does not know may be faster
   */
  void check(String what, double flopsPerSecond, int cores, double factor) {
    if (above(flopsPerSecond, cores, factor)) {
      measure(); // neighbours may have held down the peak: look again before accusing anybody
    }
    if (above(flopsPerSecond, cores, factor)) {
      throw new ImpossibleFigureException(
          "%s: %.1f GFLOP/s, but the multiply-add units of %d cores can do %.1f: refused"
              .formatted(what, flopsPerSecond * 1e-9, cores, peak * cores * factor * 1e-9));
    }
  }

  private boolean above(double flopsPerSecond, int cores, double factor) {
    return !(flopsPerSecond <= peak * cores * factor * TOLERANCE);
  }

  /** Measures the peak for a while. */
  void measure() {
    FmaPeak.warmUp();
    long begin = System.nanoTime();
    while ((System.nanoTime() - begin) * 1e-9 < PATIENCE_SECONDS) {
      long start = System.nanoTime();
      FmaPeak.run();
      saw(FmaPeak.flops() / ((System.nanoTime() - start) * 1e-9));
    }
  }
}

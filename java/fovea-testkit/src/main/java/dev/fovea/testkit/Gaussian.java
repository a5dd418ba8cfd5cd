package dev.fovea.testkit;

/**
 * Seeded random numbers that stay the same on every JDK: SplitMix64 (Steele, Lea, Flood, OOPSLA
 * 2014), and normal values by linear interpolation in a table of quantiles, as precise as a test
 * needs and far quicker than an exact method.
 */
public final class Gaussian {

  private static final int CELLS = 4096;
  private static final float[] QUANTILES = quantiles();

  private long state;

  /** Starts a sequence. */
  public Gaussian(long seed) {
    this.state = seed;
  }

  /** 64 random bits. */
  public long nextLong() {
    state += 0x9E3779B97F4A7C15L;
    return mix(state);
  }

  /** A well-mixed function of {@code z}: the finaliser of SplitMix64. */
  public static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /** Uniform in [0, bound). */
  public int nextInt(int bound) {
    return (int) ((nextLong() >>> 32) * bound >>> 32);
  }

  /** Uniform in [from, to]. */
  public int between(int from, int to) {
    return from + nextInt(to - from + 1);
  }

  /** Uniform in [0, 1). */
  public double nextDouble() {
    return (nextLong() >>> 11) * 0x1p-53;
  }

  /** True with probability {@code p}. */
  public boolean chance(double p) {
    return nextDouble() < p;
  }

  /** One of the values, each as likely. */
  @SafeVarargs
  public final <T> T pick(T... values) {
    return values[nextInt(values.length)];
  }

  /** One of the values, each as likely. */
  public int among(int... values) {
    return values[nextInt(values.length)];
  }

  /** N(0,1), cut at about 3.9 standard deviations. */
  public float nextNormal() {
    long bits = nextLong();
    int cell = (int) (bits >>> 52);
    float part = (bits & 0xffffff) * 0x1p-24f;
    return QUANTILES[cell] + part * (QUANTILES[cell + 1] - QUANTILES[cell]);
  }

  private static float[] quantiles() {
    float[] table = new float[CELLS + 1];
    for (int i = 1; i < CELLS; i++) {
      table[i] = (float) quantile((double) i / CELLS);
    }
    table[CELLS] = 3.9f;
    table[0] = -3.9f;
    return table;
  }

  /** Bisection on the distribution function, by Simpson's rule from 0: slow, run once. */
  private static double quantile(double probability) {
    double target = Math.abs(probability - 0.5);
    double low = 0;
    double high = 4;
    for (int step = 0; step < 40; step++) {
      double middle = (low + high) / 2;
      if (area(middle) < target) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return Math.copySign(low, probability - 0.5);
  }

  private static double area(double to) {
    int intervals = 16;
    double width = to / intervals;
    double sum = density(0) + density(to);
    for (int i = 1; i < intervals; i++) {
      sum += (i % 2 == 1 ? 4 : 2) * density(i * width);
    }
    return sum * width / 3;
  }

  private static double density(double x) {
    return StrictMath.exp(-0.5 * x * x) * 0.3989422804014327;
  }
}

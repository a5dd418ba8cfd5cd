package dev.fovea.bench;

import java.util.Arrays;
import java.util.List;

/**
 * What {@link Interleaved} measured.
 *
 * @param names of the contestants
 * @param seconds of one run, for each contestant and round; NaN where it sat out
 */
public record Rounds(List<String> names, List<double[]> seconds) {

  /** Seconds of one run: the median over the rounds. */
  public double median(String name) {
    return median(of(name));
  }

  /** Seconds of the fastest round: what a bound of the machine is compared with. */
  public double fastest(String name) {
    return Arrays.stream(of(name)).filter(Double::isFinite).min().orElse(Double.NaN);
  }

  /** Rounds in which the contestant took part. */
  public int count(String name) {
    return (int) Arrays.stream(of(name)).filter(Double::isFinite).count();
  }

  /**
   * How many times faster {@code ours} is than {@code theirs}: the median of each round's ratio.
   */
  public double timesFaster(String ours, String theirs) {
    return median(ratios(ours, theirs));
  }

  /** The quartiles of each round's ratio, lower and upper: how far the rounds agree. */
  public double[] quartiles(String ours, String theirs) {
    double[] sorted = finite(ratios(ours, theirs));
    return new double[] {quantile(sorted, 0.25), quantile(sorted, 0.75)};
  }

  private double[] ratios(String ours, String theirs) {
    double[] a = of(ours);
    double[] b = of(theirs);
    double[] ratios = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      ratios[i] = b[i] / a[i];
    }
    return ratios;
  }

  private double[] of(String name) {
    int i = names.indexOf(name);
    if (i < 0) {
      throw new IllegalArgumentException("no contestant \"" + name + "\" among " + names);
    }
    return seconds.get(i);
  }

  static double median(double[] values) {
    return quantile(finite(values), 0.5);
  }

  private static double[] finite(double[] values) {
    return Arrays.stream(values).filter(Double::isFinite).sorted().toArray();
  }

  /** Linear between neighbours. */
  private static double quantile(double[] sorted, double q) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    double at = q * (sorted.length - 1);
    int low = (int) at;
    int high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
  }
}

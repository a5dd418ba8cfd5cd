package dev.fovea.cli.bench;

import java.util.Arrays;
import java.util.List;

/** What is left of rounds of measurements. */
public final class Medians {

  private Medians() {}

  /** The median of one column of {@code rounds}, at least one. */
  public static double of(List<double[]> rounds, int column) {
    double[] values = rounds.stream().mapToDouble(round -> round[column]).toArray();
    Arrays.sort(values);
    int n = values.length;
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
  }
}

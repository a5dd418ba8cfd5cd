package dev.fovea.testkit.norm;

/**
 * One row: its moments and z in float64, and how far those of a right kernel may be off. What the
 * bounds are: {@link Oracle}.
 */
final class Row {

  private static final double UNIT = Oracle.UNIT;

  /** Squares of a row beyond that may be infinite in float32. */
  private static final double MOST_SQUARES = Float.MAX_VALUE / 1.1;

  final double mean;
  final double inverse;

  /** Of mean. */
  final double meanError;

  /** Of inverse, relative to it. */
  final double inverseError;

  /** True where a kernel may have left what float32 holds. */
  final boolean free;

  final double[] deviation;

  /** How far the pivot of a kernel may be from the mean: the standard deviation; 0 without mean. */
  final double distance;

  Row(float[] x, int at, int width, boolean centered, double epsilon) {
    int roundings = Math.min(width, Oracle.ROUNDINGS);
    double reference = centered && Float.isFinite(x[at]) ? x[at] : 0;
    double sum = 0;
    for (int i = 0; i < width; i++) {
      sum += x[at + i] - reference;
    }
    double offset = centered ? sum / width : 0;
    mean = centered ? reference + offset : 0;
    deviation = new double[width];
    double squares = 0;
    double sizes = 0;
    for (int i = 0; i < width; i++) {
      deviation[i] = x[at + i] - reference - offset;
      squares += deviation[i] * deviation[i];
      sizes += Math.abs(deviation[i]);
    }
    double variance = squares / width;
    double size = sizes / width;
    inverse = 1 / Math.sqrt(variance + epsilon);
    distance = centered ? Math.sqrt(variance) : 0;
    meanError = centered ? (roundings + 4) * UNIT * (size + distance) : 0;
    double error =
        (roundings + 6) * UNIT * (variance + distance * distance) + 2 * distance * meanError;
    double relative = squares == 0 ? 0 : (error + Oracle.FLUSHED) / (variance + epsilon);
    if (Double.isInfinite(variance)) {
      relative = 0;
    }
    boolean beyond =
        Double.isFinite(variance) && width * (variance + distance * distance) >= MOST_SQUARES;
    free = beyond || relative >= 0.25;
    inverseError = 1 / Math.sqrt(1 - relative - 2 * UNIT) - 1 + 3 * UNIT;
  }

  double z(int i) {
    return deviation[i] * inverse;
  }

  /** Of z. */
  double error(int i) {
    if (distance == 0 && meanError == 0) {
      return Math.abs(z(i)) * (inverseError + UNIT);
    }
    double own = UNIT * (2 * Math.abs(deviation[i]) + 2 * distance) + meanError + Oracle.FLUSHED;
    return inverse * own * (1 + inverseError) + Math.abs(z(i)) * (inverseError + UNIT);
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.testkit.Sigmoid;

/**
 * The gates of the keys of one head: what a weight is multiplied by in products, with the error
 * that it may have, that of rounding the product included.
 */
final class KeyGates {

  private final double[] logit;
  private final double[] value;
  private final double[] error;
  private final double[] open; // weights of a row before gates, from its first visible key on
  private final double[] weightErrors;
  private int from = -1; // where those that are loaded begin

  KeyGates(int keys) {
    logit = new double[keys];
    value = new double[keys];
    error = new double[keys];
    open = new double[keys];
    weightErrors = new double[keys];
  }

  /** Takes {@code count} logits from {@code at} on. */
  void load(float[] logits, int at, int count) {
    if (at == from) {
      return;
    }
    from = at;
    for (int j = 0; j < count; j++) {
      logit[j] = logits[at + j];
      value[j] = Sigmoid.of(logit[j]);
      error[j] = Sigmoid.error(logit[j], 0) + Sigmoid.UNIT * value[j];
    }
  }

  /** Of another head or sequence, whose logits may begin at the same place. */
  void clear() {
    from = -1;
  }

  /** Multiplies the weights of a row, of visible keys from {@code begin} on. */
  void apply(double[] weights, int begin, int count) {
    for (int j = 0; j < count; j++) {
      open[j] = weights[j];
      weights[j] *= value[begin + j];
      weightErrors[j] = open[j] * error[begin + j];
    }
  }

  /** The weight of visible key {@code j} before its gate. */
  double open(int j) {
    return open[j];
  }

  /** The error of that after it. */
  double weightError(int j) {
    return weightErrors[j];
  }

  double logit(int key) {
    return logit[key];
  }
}

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
  private int from = -1; // where those that are loaded begin

  KeyGates(int keys) {
    logit = new double[keys];
    value = new double[keys];
    error = new double[keys];
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

  double logit(int key) {
    return logit[key];
  }

  double value(int key) {
    return value[key];
  }

  double error(int key) {
    return error[key];
  }
}

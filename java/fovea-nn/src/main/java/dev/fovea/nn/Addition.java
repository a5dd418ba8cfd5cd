package dev.fovea.nn;

import dev.fovea.Tensor;

/** A gradient that goes to where another one is. */
final class Addition {
  private final Tensor to;
  private final Tensor part;
  private final boolean isAdded;

  private Addition(Tensor to, Tensor part, boolean isAdded) {
    this.to = to;
    this.part = part;
    this.isAdded = isAdded;
  }

  static Addition of(Tape tape, Tensor to, Tensor part, boolean isAdded) {
    return new Addition(to, part, isAdded);
  }

  void run() {
    if (!isAdded) {
      to.copyFrom(part);
      return;
    }
    float[] sum = to.toFloatArray();
    float[] more = part.toFloatArray();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += more[i];
    }
    to.copyFrom(sum);
  }
}

package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Layout;

/** A gradient in the making: 0 wherever nothing is added to it. */
final class GradientSums {

  private final Layout layout;
  private final float[] before; // or null
  private final Expected expected;
  private final double[] value;
  private final double[] error;
  private final boolean[] free;

  /**
   * Zeros.
   *
   * @param before what the buffer held, if that is added to; or null
   */
  GradientSums(DType type, Layout layout, float[] before) {
    this.layout = layout;
    this.before = before;
    expected = new Expected(type, layout.elements());
    value = new double[layout.elements()];
    error = new double[layout.elements()];
    free = new boolean[layout.elements()];
  }

  /** Adds a number; more than one is rounded as it is added to the others. */
  void add(int at, double exact, double bound) {
    value[at] += exact;
    error[at] += bound;
  }

  /** Adds a row, or says that it may be anything. */
  void add(int at, Row row, boolean anything) {
    for (int i = 0; i < row.width(); i++) {
      add(at + i, row.value()[i], row.error()[i]);
      free[at + i] |= anything;
    }
  }

  /** The element may be anything. */
  void free(int at) {
    free[at] = true;
  }

  /** What must stand in the buffer. */
  Expected finish() {
    long[] size = layout.size();
    for (int x = 0; x < size[0]; x++) {
      for (int y = 0; y < size[1]; y++) {
        for (int z = 0; z < size[2]; z++) {
          for (int d = 0; d < size[3]; d++) {
            finish(layout.at(x, y, z) + d);
          }
        }
      }
    }
    return expected;
  }

  private void finish(int at) {
    double exact = value[at] + (before == null ? 0 : before[at]);
    double added = before == null ? 0 : TrackedState.FLOAT_UNIT * Math.abs(exact);
    if (free[at]) {
      expected.free(at, exact);
    } else if (error[at] == 0) {
      expected.expect(at, exact, 0);
    } else {
      expected.expectRounded(at, exact, error[at] + added);
    }
  }
}

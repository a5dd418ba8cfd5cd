package dev.fovea.testkit.projection;

import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;

/**
 * How a weight [H, R, S], or its gradient, lies in memory.
 *
 * @param rowsFirst rows outermost, then heads
 * @param offset elements before element 0
 * @param gap unused elements behind each row, and behind each block of the dimension that is not
 *     outermost
 * @param absurd dimensions of one element get a stride that must never be used
 */
public record WeightStyle(boolean rowsFirst, int offset, int gap, int blockGap, boolean absurd) {

  /** Without gaps. */
  public static final WeightStyle DENSE = new WeightStyle(false, 0, 0, 0, false);

  /** The layout for these sizes. */
  public Layout layout(long heads, long rank, long length) {
    long row = length + gap;
    long[] stride =
        rowsFirst
            ? new long[] {row, row * Math.max(1, heads) + blockGap}
            : new long[] {row * Math.max(1, rank) + blockGap, row};
    Layout layout = Layout.withStrides(offset, stride, heads, rank, length);
    return absurd ? layout.withAbsurdStrides() : layout;
  }

  /** A random style. */
  static WeightStyle draw(Gaussian random) {
    return random.chance(0.5)
        ? DENSE
        : new WeightStyle(
            random.chance(0.4),
            random.nextInt(6),
            random.among(0, 0, 1, 3, 4, 8, 9),
            random.nextInt(9),
            random.chance(0.4));
  }

  /** For coverage. */
  static String name(Layout layout) {
    long[] stride = layout.stride();
    long[] size = layout.size();
    if (stride[0] >= Layout.ABSURD || stride[1] >= Layout.ABSURD) {
      return "absurd";
    }
    if (stride[0] < stride[1]) {
      return layout.isShared() ? "broadcast" : "rows-first";
    }
    return stride[1] == size[2] ? "dense" : "gaps";
  }
}

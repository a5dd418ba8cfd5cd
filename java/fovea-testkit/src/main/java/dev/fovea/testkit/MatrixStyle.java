package dev.fovea.testkit;

/**
 * How matrices [N, R, C], such as the weight of each head, lie in memory.
 *
 * @param rowsFirst rows outermost, then matrices
 * @param offset elements before element 0
 * @param gap unused elements behind each row
 * @param blockGap likewise behind each block of the dimension that is not outermost
 * @param absurd dimensions of one element get a stride that must never be used
 */
public record MatrixStyle(boolean rowsFirst, int offset, int gap, int blockGap, boolean absurd) {

  /** Without gaps. */
  public static final MatrixStyle DENSE = new MatrixStyle(false, 0, 0, 0, false);

  /** The layout for these sizes. */
  public Layout layout(long matrices, long rows, long columns) {
    long row = columns + gap;
    long[] stride =
        rowsFirst
            ? new long[] {row, row * Math.max(1, matrices) + blockGap}
            : new long[] {row * Math.max(1, rows) + blockGap, row};
    Layout layout = Layout.withStrides(offset, stride, matrices, rows, columns);
    return absurd ? layout.withAbsurdStrides() : layout;
  }

  /** A random style. */
  public static MatrixStyle draw(Gaussian random) {
    return random.chance(0.5)
        ? DENSE
        : new MatrixStyle(
            random.chance(0.4),
            random.nextInt(6),
            random.among(0, 0, 1, 3, 4, 8, 9),
            random.nextInt(9),
            random.chance(0.4));
  }

  /** For coverage. */
  public static String name(Layout layout) {
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

package dev.fovea.testkit.image;

import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import java.util.Arrays;

/**
 * How an operand lies in memory, before its sizes are known.
 *
 * @param order of the dimensions that have a stride, outermost first; null: as they are
 * @param offset elements before element 0
 * @param gap unused elements behind each block of a dimension, the innermost last; repeated from
 *     its end
 * @param absurd dimensions of one element get a stride that must never be used
 * @param broadcast dimension whose elements share memory, -1: none
 */
public record ImageStyle(int[] order, int offset, int[] gap, boolean absurd, int broadcast) {

  private static final int[] NO_GAP = {};

  /** N, C, H, W, or the dimensions of a weight, without gaps. */
  public static final ImageStyle DENSE = new ImageStyle(null, 0, NO_GAP, false, -1);

  /** N, H, W, C without gaps. */
  public static final ImageStyle CHANNELS_LAST = ordered(0, 2, 3, 1);

  /** Another order of dimensions, without gaps. */
  public static ImageStyle ordered(int... order) {
    return new ImageStyle(order, 0, NO_GAP, false, -1);
  }

  /** The same with one dimension's elements sharing memory. */
  public ImageStyle withBroadcast(int dimension) {
    return new ImageStyle(order, offset, gap, absurd, dimension);
  }

  /** The layout for these sizes, the last of which is dense. */
  public Layout layout(long... size) {
    int outer = size.length - 1;
    long[] stride = new long[outer];
    long block = size[outer] + gap(0);
    for (int level = outer - 1; level >= 0; level--) {
      int dimension = order == null ? level : order[level];
      stride[dimension] = block;
      block = block * Math.max(1, size[dimension]) + gap(outer - level);
    }
    Layout layout = Layout.withStrides(offset, stride, size);
    if (broadcast >= 0) {
      layout = layout.broadcast(broadcast);
    }
    return absurd ? layout.withAbsurdStrides() : layout;
  }

  private int gap(int level) {
    return level < gap.length ? gap[gap.length - 1 - level] : 0;
  }

  /** A random style of images; {@code likely} is that of the case's others. */
  static ImageStyle draw(Gaussian random, ImageStyle likely) {
    double kind = random.nextDouble();
    if (kind < 0.65) {
      return likely;
    }
    if (kind < 0.75) {
      return DENSE;
    }
    if (kind < 0.85) {
      return CHANNELS_LAST;
    }
    return drawAny(random);
  }

  /** What most images of a case are like. */
  static ImageStyle drawLikely(Gaussian random) {
    double kind = random.nextDouble();
    return kind < 0.45 ? DENSE : kind < 0.8 ? CHANNELS_LAST : drawAny(random);
  }

  private static ImageStyle drawAny(Gaussian random) {
    int[] order =
        random.pick(
            new int[] {0, 1, 2, 3},
            new int[] {0, 2, 3, 1},
            new int[] {1, 0, 2, 3},
            new int[] {0, 2, 1, 3},
            new int[] {3, 2, 1, 0},
            new int[] {0, 1, 3, 2});
    int[] gap = {
      random.nextInt(9),
      random.nextInt(9),
      random.nextInt(4),
      random.among(0, 1, 3),
      random.among(0, 0, 0, 1)
    };
    return new ImageStyle(order, random.nextInt(6), gap, random.chance(0.4), -1);
  }

  /** A random style of a weight. */
  static ImageStyle drawWeight(Gaussian random) {
    return random.chance(0.6)
        ? DENSE
        : new ImageStyle(
            null,
            random.nextInt(6),
            new int[] {random.nextInt(5), random.nextInt(5)},
            random.chance(0.5),
            -1);
  }

  /** For coverage: of an image's layout, what matters to a kernel. */
  static String name(Layout layout) {
    long[] stride = layout.stride();
    long[] size = layout.size();
    if (layout.isShared()) {
      return "broadcast";
    }
    if (stride[1] == 1 && stride[3] == size[1] && stride[2] == size[1] * size[3]) {
      return "channels-last";
    }
    if (stride[1] == 1) {
      return "channels-last-gaps";
    }
    if (stride[3] != 1) {
      return "apart";
    }
    return stride[2] == size[3] ? "planes" : "rows";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ImageStyle that && toString().equals(that.toString());
  }

  @Override
  public int hashCode() {
    return toString().hashCode();
  }

  @Override
  public String toString() {
    return "%s+%d gaps %s%s %d"
        .formatted(
            Arrays.toString(order),
            offset,
            Arrays.toString(gap),
            absurd ? " absurd" : "",
            broadcast);
  }
}

package dev.fovea.testkit;

import dev.fovea.testkit.Layout.Order;

/**
 * How an operand lies in memory, before its sizes are known.
 *
 * @param order of the outer dimensions
 * @param offset elements before element 0
 * @param gap unused elements after a block of each dimension, see {@link Layout#of}
 * @param absurd dimensions of one element get a stride that must never be used
 * @param broadcast outer dimension whose elements share memory, -1: none
 * @param name for coverage
 */
public record Style(
    Order order, long offset, long[] gap, boolean absurd, int broadcast, String name) {

  /** Row-major, no gaps. */
  public static final Style DENSE = ordered(Order.DENSE);

  /** Another order of dimensions, no gaps. */
  public static Style ordered(Order order) {
    return new Style(order, 0, new long[4], false, -1, order.name().toLowerCase());
  }

  /** Unused elements after every block and before the first. */
  public static Style gaps(Order order, long offset, long... gap) {
    return new Style(order, offset, gap.clone(), false, -1, "gaps");
  }

  /** One of query, key, value as slices [T, before + heads + after, D] of one projection. */
  public static Style slice(int headsBefore, int headsAfter, int headDim) {
    return new Style(
        Order.DENSE,
        (long) headsBefore * headDim,
        new long[] {0, 0, (long) (headsBefore + headsAfter) * headDim, 0},
        false,
        -1,
        "slice");
  }

  /** The same with absurd strides where there is one element. */
  public Style withAbsurd() {
    return new Style(order, offset, gap, true, broadcast, "absurd");
  }

  /** The same with one outer dimension's elements sharing memory. */
  public Style withBroadcast(int dimension) {
    return new Style(order, offset, gap, absurd, dimension, "broadcast" + dimension);
  }

  /** The layout for these sizes. */
  public Layout layout(long... size) {
    Layout layout = Layout.of(order, offset, gap, size);
    if (broadcast >= 0) {
      layout = layout.broadcast(broadcast);
    }
    return absurd ? layout.withAbsurdStrides() : layout;
  }

  /** A random style for an operand that is written. */
  public static Style draw(Gaussian random) {
    double kind = random.nextDouble();
    if (kind < 0.35) {
      return DENSE;
    }
    if (kind < 0.6) {
      return ordered(Order.SWAPPED);
    }
    if (kind < 0.7) {
      return ordered(random.pick(Order.SEQUENCE_FIRST, Order.HEADS_FIRST));
    }
    Style gaps =
        gaps(
            random.pick(Order.values()),
            random.nextInt(6),
            random.nextInt(9),
            random.nextInt(9),
            random.nextInt(9),
            random.among(0, 1, 3, 8));
    return kind < 0.88 ? gaps : gaps.withAbsurd();
  }

  /** One whose rows of {@code width} begin at multiples of 8 elements. */
  public static Style drawAligned(Gaussian random, int width) {
    return drawAligned(random, width, 8);
  }

  /** The same of {@code unit} elements. */
  public static Style drawAligned(Gaussian random, int width, int unit) {
    if (random.chance(0.5) && width % unit == 0) {
      return ordered(random.pick(Order.DENSE, Order.SWAPPED));
    }
    long step = unit;
    Style gaps =
        gaps(
            random.pick(Order.values()),
            step * random.nextInt(3),
            step * random.nextInt(3),
            step * random.nextInt(3),
            step * random.nextInt(3),
            step * random.nextInt(2) + Math.floorMod(-width, unit));
    return random.chance(0.8) ? gaps : gaps.withAbsurd();
  }

  /** A random style for an operand that is read: its elements may share memory. */
  public static Style drawInput(Gaussian random) {
    Style style = draw(random);
    return random.chance(0.06) ? style.withBroadcast(random.among(0, 2)) : style;
  }
}

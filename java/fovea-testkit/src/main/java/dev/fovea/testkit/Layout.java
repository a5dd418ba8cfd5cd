package dev.fovea.testkit;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Where the elements of one operand lie in its buffer: element (a, b, c, d) at {@code offset +
 * a*stride[0] + b*stride[1] + c*stride[2] + d}, and likewise for other numbers of outer dimensions;
 * the innermost dimension is always dense.
 *
 * <p>Over queries and keys, the three outer dimensions are (batch, position, head) for query, key,
 * value and out, (batch, head, -) for lse, and (batch, head, query position) for bias and weights.
 * Packed operands have a batch dimension of 1.
 *
 * @param offset elements in the buffer before element 0
 * @param stride elements between neighbours of each outer dimension
 * @param size sizes of the outer dimensions and of the dense one
 * @param elements length of the buffer in elements: exactly what the last element needs
 */
public record Layout(long offset, long[] stride, long[] size, int elements) {

  /** A stride for a dimension of one element that any arithmetic on it would take out of bounds. */
  public static final long ABSURD = 99_990_001L;

  /** The order of dimensions in memory, outermost first, as indices into the logical order. */
  public enum Order {
    /** As the logical order says. */
    DENSE(0, 1, 2),
    /** Second and third exchanged: BHSD memory for a BSHD operand. */
    SWAPPED(0, 2, 1),
    /** First and second exchanged: SBHD. */
    SEQUENCE_FIRST(1, 0, 2),
    /** Heads outermost. */
    HEADS_FIRST(2, 0, 1);

    private final int[] dimensions;

    Order(int... dimensions) {
      this.dimensions = dimensions;
    }
  }

  /** Compares contents; arrays by value. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Layout that
        && offset == that.offset
        && elements == that.elements
        && Arrays.equals(stride, that.stride)
        && Arrays.equals(size, that.size);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(stride) * 31 + elements;
  }

  @Override
  public String toString() {
    return Arrays.toString(stride) + "+" + offset;
  }

  /** Row-major without gaps. */
  public static Layout dense(long... size) {
    return of(Order.DENSE, 0, new long[4], size);
  }

  /**
   * Builds strides from the inside out.
   *
   * @param order of the outer dimensions in memory
   * @param offset elements before element 0
   * @param gap unused elements after each row of the dense dimension (gap[3]) and after each block
   *     of the outer dimension of that index
   * @param size four sizes
   */
  public static Layout of(Order order, long offset, long[] gap, long... size) {
    long[] stride = new long[3];
    long block = size[3] + gap[3];
    for (int level = 2; level >= 0; level--) {
      int dimension = order.dimensions[level];
      stride[dimension] = block;
      block = block * Math.max(1, size[dimension]) + gap[dimension];
    }
    return withStrides(offset, stride, size);
  }

  /** A layout with the given strides, in a buffer that ends right behind its last element. */
  public static Layout withStrides(long offset, long[] stride, long... size) {
    long last = offset;
    for (int i = 0; i < stride.length; i++) {
      last += (size[i] - 1) * stride[i];
    }
    boolean empty = Arrays.stream(size).anyMatch(it -> it == 0);
    return new Layout(
        offset,
        stride.clone(),
        size.clone(),
        empty ? 0 : Math.toIntExact(last + size[stride.length]));
  }

  /** The same elements with an absurd stride for every outer dimension of at most one element. */
  public Layout withAbsurdStrides() {
    long[] absurd = stride.clone();
    for (int i = 0; i < stride.length; i++) {
      if (size[i] <= 1) {
        absurd[i] = ABSURD + i;
      }
    }
    return new Layout(offset, absurd, size, elements);
  }

  /** All elements of one outer dimension share the memory of its first. */
  public Layout broadcast(int dimension) {
    long[] shared = stride.clone();
    shared[dimension] = 0;
    return withStrides(offset, shared, size);
  }

  /** Index in the buffer of element (a, b, c, 0). */
  public int at(long a, long b, long c) {
    return (int) (offset + a * stride[0] + b * stride[1] + c * stride[2]);
  }

  /** Index in the buffer of the first element of a row, by all outer dimensions. */
  public int at(long... index) {
    long at = offset;
    for (int i = 0; i < index.length; i++) {
      at += index[i] * stride[i];
    }
    return (int) at;
  }

  /** As {@link #at(long, long, long)}, with an index of 0 for a dimension that is broadcast. */
  public int atBroadcast(long a, long b, long c) {
    return at(size[0] == 1 ? 0 : a, size[1] == 1 ? 0 : b, size[2] == 1 ? 0 : c);
  }

  /** True if elements of an outer dimension share memory. */
  public boolean isShared() {
    return IntStream.range(0, stride.length).anyMatch(i -> stride[i] == 0 && size[i] > 1);
  }

  /** True if the layout has no element. */
  public boolean isEmpty() {
    return elements == 0;
  }
}

package dev.fovea;

import java.util.Arrays;

/**
 * Whether two views have a byte in common. Between them lie a distance and a choice of indices:
 * with one view counted from its end, the question is whether a sum of strides, each taken at most
 * so often, falls into an interval. That is searched for from the largest stride down, and decided
 * exactly but for views so contrived that the search is given up.
 */
final class Overlap {
  /** A search that takes more steps is given up. */
  private static final int MOST_STEPS = 10_000;

  /** Sums of two spans of so many bytes still fit 64 bits. */
  private static final long LONGEST_SPAN = 1L << 61;

  /** Different strides in bytes, the largest first. */
  private final long[] strides;

  /** How often each may be taken. */
  private final long[] most;

  /** Of the sums of the strides from one on: the largest, and what divides them all. */
  private final long[] largest;

  private final long[] divisor;
  private int steps;

  private Overlap(long[] strides, long[] most) {
    this.strides = strides;
    this.most = most;
    largest = new long[strides.length + 1];
    divisor = new long[strides.length + 1];
    for (int i = strides.length - 1; i >= 0; i--) {
      largest[i] = largest[i + 1] + strides[i] * most[i];
      divisor[i] = gcd(strides[i], divisor[i + 1]);
    }
  }

  /**
   * True if an element of one view shares a byte with an element of the other, or if that could not
   * be decided in reasonable time.
   */
  static boolean between(Tensor one, Tensor other) {
    long distance = other.address() - one.address();
    long oneSpan = one.rawSegment().byteSize();
    long otherSpan = other.rawSegment().byteSize();
    boolean apart =
        Long.compareUnsigned(distance, oneSpan) >= 0
            && Long.compareUnsigned(-distance, otherSpan) >= 0;
    if (apart || oneSpan == 0 || otherSpan == 0) {
      return false;
    }
    if (oneSpan > LONGEST_SPAN || otherSpan > LONGEST_SPAN) {
      return true;
    }
    long[][] terms = new long[one.rank() + other.rank()][];
    int count = addTerms(other, terms, addTerms(one, terms, 0));
    Arrays.sort(terms, 0, count, (a, b) -> Long.compare(b[0], a[0]));
    long high = distance + otherSpan - 1;
    long low = high - one.dtype().byteSize() - other.dtype().byteSize() + 2;
    // A stride that is no wider than the interval passes over no sum: it only widens the interval.
    while (count > 0 && terms[count - 1][0] <= high - low + 1) {
      count--;
      low -= terms[count][0] * terms[count][1];
    }
    long[] strides = new long[count];
    long[] most = new long[count];
    for (int i = 0; i < count; i++) {
      strides[i] = terms[i][0];
      most[i] = terms[i][1];
    }
    return new Overlap(strides, most).reaches(0, low, high);
  }

  /**
   * Checks that what a run writes is apart from another operand.
   *
   * @throws IllegalArgumentException if they overlap
   */
  static void check(String name, Tensor written, String otherName, Tensor other) {
    if (between(written, other)) {
      throw new IllegalArgumentException(
          "%s shares memory with %s: what a run writes must not overlap any other operand"
              .formatted(name, otherName));
    }
  }

  /** Adds (stride in bytes, largest index) of each dimension that moves; returns their number. */
  private static int addTerms(Tensor tensor, long[][] terms, int count) {
    for (int dim = 0; dim < tensor.rank(); dim++) {
      long stride = tensor.stride(dim) * tensor.dtype().byteSize();
      long last = tensor.size(dim) - 1;
      if (stride == 0 || last == 0) {
        continue;
      }
      int same = 0;
      while (same < count && terms[same][0] != stride) {
        same++;
      }
      if (same < count) {
        terms[same][1] += last;
      } else {
        terms[count++] = new long[] {stride, last};
      }
    }
    return count;
  }

  /** Whether some sum of the strides from {@code first} on lies in [low, high]. */
  private boolean reaches(int first, long low, long high) {
    if (high < 0 || low > largest[first]) {
      return false;
    }
    if (low <= 0 || high >= largest[first]) {
      return true; // the sum of none, or of all
    }
    if (high / divisor[first] * divisor[first] < low) {
      return false;
    }
    if (++steps > MOST_STEPS) {
      return true;
    }
    long stride = strides[first];
    long least = Math.max(0, Math.ceilDiv(low - largest[first + 1], stride));
    for (long taken = Math.min(most[first], high / stride); taken >= least; taken--) {
      if (reaches(first + 1, low - taken * stride, high - taken * stride)) {
        return true;
      }
    }
    return false;
  }

  private static long gcd(long a, long b) {
    while (b != 0) {
      long rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }
}

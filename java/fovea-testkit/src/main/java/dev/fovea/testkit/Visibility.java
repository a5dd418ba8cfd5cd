package dev.fovea.testkit;

import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;

/**
 * Which keys a query sees.
 *
 * @param causal key j is seen where j is at most the query's position
 * @param topLeft positions count from the first key instead of from the last
 * @param windowLeft keys seen to the left of the position, -1: all
 * @param windowRight keys seen to the right of the position, -1: all
 */
public record Visibility(boolean causal, boolean topLeft, long windowLeft, long windowRight) {

  /** Position of query {@code i} among the keys of sequence {@code b}. */
  public long position(Geometry g, int b, int i) {
    return topLeft ? i : (long) i + g.lenK(b) - g.lenQ(b);
  }

  /** First key that query {@code i} of sequence {@code b} sees; see also {@link #end}. */
  public int begin(Geometry g, int b, int i) {
    if (windowLeft < 0) {
      return 0;
    }
    long position = position(g, b, i);
    // Windows may be as large as a long holds.
    long begin = position < Long.MIN_VALUE + windowLeft ? 0 : position - windowLeft;
    return Math.clamp(begin, 0, g.lenK(b));
  }

  /** One behind the last key that query {@code i} of sequence {@code b} sees; may lie before it. */
  public int end(Geometry g, int b, int i) {
    long position = position(g, b, i);
    long end = g.lenK(b);
    if (causal) {
      end = Math.min(end, position + 1);
    }
    if (windowRight >= 0 && windowRight < end - position) {
      end = Math.min(end, position + windowRight + 1);
    }
    return (int) Math.max(0, end);
  }

  /** Sets its fields in a spec of fovea.h. */
  @SuppressWarnings("exports") // for the operations in this module
  public void fill(NativeOperation operation, MemorySegment spec) {
    operation.int32("causal").set(spec, causal ? 1 : 0);
    operation.int32("alignment").set(spec, topLeft ? 1 : 0);
    operation.int32("has_window_left").set(spec, windowLeft >= 0 ? 1 : 0);
    operation.int32("has_window_right").set(spec, windowRight >= 0 ? 1 : 0);
    operation.int64("window_left").set(spec, Math.max(0, windowLeft));
    operation.int64("window_right").set(spec, Math.max(0, windowRight));
  }

  /** Keys that the busiest query sees. */
  public int keysPerRow(Geometry g) {
    int most = 0;
    for (int b = 0; b < g.batch(); b++) {
      for (int i = 0; i < g.lenQ(b); i++) {
        most = Math.max(most, end(g, b, i) - begin(g, b, i));
      }
    }
    return most;
  }
}

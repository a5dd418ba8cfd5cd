package dev.fovea.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The most bytes that one core copies in a second, by the C library: of as many as a problem moves,
 * since caches may hold these, up to more than any cache holds.
 */
final class CopyPeak {

  /**
   * By how much stores may be faster that bypass the caches: they do not read what they overwrite.
   * The C library's begin to with larger copies than ours on some machines.
   */
  static final double STREAMING = 1.5;

  private static final long MOST = 128L << 20;
  private static final long LEAST = 64L << 10;
  private static final long AT_A_TIME = 32L << 20; // of which little is the first copy's

  private static long size = MOST;

  @SuppressWarnings("restricted")
  private static final MethodHandle MEMCPY =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().findOrThrow("memcpy"),
              FunctionDescriptor.of(
                  ValueLayout.ADDRESS,
                  ValueLayout.ADDRESS,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_LONG));

  private static final MemorySegment FROM = Arena.global().allocate(MOST, 64).fill((byte) 1);
  private static final MemorySegment TO = Arena.global().allocate(MOST, 64).fill((byte) 2);

  private CopyPeak() {}

  /** From now on copies are such that so many bytes are read and written. */
  static void of(double moved) {
    size = (long) Math.clamp(moved / 2, (double) LEAST, (double) MOST);
  }

  /** Bytes that one {@link #run} reads and writes. */
  static double bytes() {
    return 2.0 * size * times();
  }

  private static long times() {
    return Math.max(1, AT_A_TIME / size);
  }

  /** Copies once, or as often as it takes some milliseconds. */
  static void run() {
    try {
      for (long i = times(); i > 0; i--) {
        MemorySegment ignored = (MemorySegment) MEMCPY.invokeExact(TO, FROM, size);
      }
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }
}

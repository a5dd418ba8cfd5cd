package dev.fovea.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The most bytes that one core copies in a second, of more than caches hold, by the C library. */
final class CopyPeak {

  private static final long BYTES = 128L << 20;

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

  private static final MemorySegment FROM = Arena.global().allocate(BYTES, 64).fill((byte) 1);
  private static final MemorySegment TO = Arena.global().allocate(BYTES, 64).fill((byte) 2);

  private CopyPeak() {}

  /** Bytes that one {@link #run} reads and writes. */
  static double bytes() {
    return 2.0 * BYTES;
  }

  /** Some tens of milliseconds: a shorter copy would find part of it in the caches. */
  static void run() {
    try {
      MemorySegment ignored = (MemorySegment) MEMCPY.invokeExact(TO, FROM, BYTES);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }
}

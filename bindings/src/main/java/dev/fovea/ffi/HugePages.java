package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Large blocks of memory straight from Linux: mmap(2), madvise(2). A page of 2 MB is one entry of
 * the processor's table of pages where there would be 512, and the kernel clears them as they are
 * first used, not all at once before.
 */
public final class HugePages {
  /** Smaller blocks are better off in the C library's heap. */
  public static final long LEAST = 4L << 20;

  private static final long PAGE = 2L << 20;
  private static final int READ_AND_WRITE = 1 | 2; // PROT_READ, PROT_WRITE
  private static final int PRIVATE_ANONYMOUS = 2 | 0x20; // MAP_PRIVATE, MAP_ANONYMOUS
  private static final int HUGE = 14; // MADV_HUGEPAGE

  private static final MethodHandle MMAP =
      function("mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP = function("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle MADVISE =
      function("madvise", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);

  private HugePages() {}

  @SuppressWarnings("restricted")
  private static MethodHandle function(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments));
  }

  /**
   * Zeros that live as long as {@code arena}, in huge pages where the kernel has any.
   *
   * @param bytes at least {@link #LEAST}
   * @throws OutOfMemoryError if there is not that much
   */
  public static MemorySegment allocate(long bytes, Arena arena) {
    long whole = bytes + PAGE; // wherever it begins, there is a huge page's beginning in the first
    try {
      long mapped = (long) MMAP.invokeExact(0L, whole, READ_AND_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
      if (mapped == -1) {
        throw new OutOfMemoryError("mmap of " + whole + " bytes failed");
      }
      long begin = (mapped + PAGE - 1) / PAGE * PAGE;
      int ignored = (int) MADVISE.invokeExact(begin, bytes, HUGE); // it works without, too
      return Memory.at(begin, bytes, arena, it -> free(mapped, whole));
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  private static void free(long mapped, long bytes) {
    try {
      int ignored = (int) MUNMAP.invokeExact(mapped, bytes);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }
}

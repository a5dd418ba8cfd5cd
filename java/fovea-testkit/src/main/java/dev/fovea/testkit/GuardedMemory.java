package dev.fovea.testkit;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A buffer between two pages that nobody may touch. A byte read or written behind the buffer
 * ({@link Side#END}) or before it ({@link Side#BEGIN}) ends the process with SIGSEGV at the very
 * instruction; the slack on the other side, which page granularity leaves, is filled with a pattern
 * and compared. Linux only (mmap(2), mprotect(2)).
 */
@SuppressWarnings("restricted") // Addresses become segments, which is the whole purpose.
public final class GuardedMemory implements AutoCloseable {

  /** Which end of the buffer touches a forbidden page exactly. */
  public enum Side {
    BEGIN,
    END
  }

  private static final int PROT_NONE = 0;
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_PRIVATE = 2;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_NORESERVE = 0x4000;
  private static final long PAGE = 4096;
  private static final byte SLACK = (byte) 0xA7;

  private static final MethodHandle MMAP =
      function(
          "mmap",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG));
  private static final MethodHandle MPROTECT =
      function(
          "mprotect",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT));
  private static final MethodHandle MUNMAP =
      function(
          "munmap",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

  private final long base;
  private final long mapped;
  private final MemorySegment slack;
  private final MemorySegment segment;
  private boolean closed;

  private GuardedMemory(long base, long mapped, MemorySegment slack, MemorySegment segment) {
    this.base = base;
    this.mapped = mapped;
    this.slack = slack;
    this.segment = segment;
  }

  /**
   * Maps a buffer. Its address is a multiple of {@code alignment} even if that leaves up to {@code
   * alignment - 1} bytes of slack before the forbidden page.
   *
   * @param bytes length of the buffer, may be 0
   * @param side the exact end
   * @param alignment a power of two, at most a page
   */
  public static GuardedMemory allocate(long bytes, Side side, long alignment) {
    long inner = (bytes + PAGE - 1) / PAGE * PAGE;
    long mapped = inner + 2 * PAGE;
    long base = map(mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
    long usable = base + PAGE;
    if (inner > 0) {
      protect(usable, inner, PROT_READ | PROT_WRITE);
    }
    long start = side == Side.BEGIN ? usable : (usable + inner - bytes) & -alignment;
    MemorySegment all = MemorySegment.ofAddress(usable).reinterpret(inner);
    all.fill(SLACK);
    return new GuardedMemory(base, mapped, all, MemorySegment.ofAddress(start).reinterpret(bytes));
  }

  /**
   * Reserves address space without memory behind it: pages appear when written. For tensors of more
   * elements than an int counts. Not guarded.
   */
  public static GuardedMemory sparse(long bytes) {
    long base = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    MemorySegment all = MemorySegment.ofAddress(base).reinterpret(bytes);
    return new GuardedMemory(base, bytes, all.asSlice(0, 0), all);
  }

  /** The buffer. Its lifetime is this object's, which nothing checks: that is the point. */
  public MemorySegment segment() {
    return segment;
  }

  /** From now on a write to the buffer ends the process: inputs are not to be written. */
  public void seal() {
    if (mapped > 2 * PAGE) {
      protect(base + PAGE, mapped - 2 * PAGE, PROT_READ);
    }
  }

  /** True if the bytes around the buffer, inside its pages, are as they were. */
  public boolean slackIntact() {
    long before = segment.address() - slack.address();
    long behind = before + segment.byteSize();
    return slack.byteSize() == 0
        || isSlack(slack.asSlice(0, before)) && isSlack(slack.asSlice(behind));
  }

  private static boolean isSlack(MemorySegment part) {
    for (byte each : part.toArray(ValueLayout.JAVA_BYTE)) {
      if (each != SLACK) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    int status;
    try {
      status = (int) MUNMAP.invokeExact(base, mapped);
    } catch (Throwable failure) {
      throw new AssertionError(failure);
    }
    if (status != 0) {
      throw new IllegalStateException("munmap failed");
    }
  }

  private static long map(long bytes, int protection, int flags) {
    long address;
    try {
      address = (long) MMAP.invokeExact(0L, bytes, protection, flags, -1, 0L);
    } catch (Throwable failure) {
      throw new AssertionError(failure);
    }
    if (address == -1) {
      throw new OutOfMemoryError("mmap of " + bytes + " bytes failed");
    }
    return address;
  }

  private static void protect(long address, long bytes, int protection) {
    int status;
    try {
      status = (int) MPROTECT.invokeExact(address, bytes, protection);
    } catch (Throwable failure) {
      throw new AssertionError(failure);
    }
    if (status != 0) {
      throw new IllegalStateException("mprotect failed");
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
  }
}

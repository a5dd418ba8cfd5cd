package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * Segments over raw addresses. These are restricted methods of the JDK; standing here, they need
 * native access for this module alone.
 */
public final class Memory {
  private Memory() {}

  /**
   * Memory that somebody else keeps alive. Whoever names a wrong address or size crashes the JVM.
   */
  @SuppressWarnings("restricted")
  public static MemorySegment at(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  /** Memory that lives as long as {@code arena}, which then hands it to {@code free}. */
  @SuppressWarnings("restricted")
  public static MemorySegment at(
      long address, long bytes, Arena arena, Consumer<MemorySegment> free) {
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, free);
  }

  /** A text that ends with a NUL. */
  static String text(long address) {
    return at(address, Long.MAX_VALUE).getString(0);
  }
}

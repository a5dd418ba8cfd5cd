package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * {@code fovea_device_info}: what the planner must know of a device. Fields as in {@code fovea.h}.
 */
public final class FoveaDeviceInfo {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("kind"),
              ValueLayout.JAVA_INT.withName("index"),
              ValueLayout.JAVA_INT.withName("isa"),
              ValueLayout.JAVA_INT.withName("isa_available"),
              ValueLayout.JAVA_INT.withName("compute_capability"),
              ValueLayout.JAVA_INT.withName("multiprocessors"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("shared_memory"),
              ValueLayout.JAVA_LONG.withName("cache_bytes"),
              ValueLayout.JAVA_LONG.withName("memory_bytes"),
              MemoryLayout.sequenceLayout(128, ValueLayout.JAVA_BYTE).withName("name"),
              MemoryLayout.sequenceLayout(Abi.ERROR_LENGTH, ValueLayout.JAVA_BYTE)
                  .withName("error"))
          .withName("fovea_device_info");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 KIND = Field.Int32.of(LAYOUT, "kind");
  public static final Field.Int32 INDEX = Field.Int32.of(LAYOUT, "index");
  public static final Field.Int32 ISA = Field.Int32.of(LAYOUT, "isa");
  public static final Field.Int32 ISA_AVAILABLE = Field.Int32.of(LAYOUT, "isa_available");
  public static final Field.Int32 COMPUTE_CAPABILITY = Field.Int32.of(LAYOUT, "compute_capability");
  public static final Field.Int32 MULTIPROCESSORS = Field.Int32.of(LAYOUT, "multiprocessors");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 SHARED_MEMORY = Field.Int64.of(LAYOUT, "shared_memory");
  public static final Field.Int64 CACHE_BYTES = Field.Int64.of(LAYOUT, "cache_bytes");
  public static final Field.Int64 MEMORY_BYTES = Field.Int64.of(LAYOUT, "memory_bytes");
  public static final Field.Text NAME = Field.Text.of(LAYOUT, "name");
  public static final Field.Text ERROR = Field.Text.of(LAYOUT, "error");

  private FoveaDeviceInfo() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_library_info}: what a library says about itself. Fields as in {@code fovea.h}. */
public final class FoveaLibraryInfo {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("abi_version"),
              MemoryLayout.sequenceLayout(16, ValueLayout.JAVA_BYTE).withName("backend"),
              MemoryLayout.sequenceLayout(32, ValueLayout.JAVA_BYTE).withName("version"),
              MemoryLayout.sequenceLayout(160, ValueLayout.JAVA_BYTE).withName("build"),
              MemoryLayout.sequenceLayout(Abi.ERROR_LENGTH, ValueLayout.JAVA_BYTE)
                  .withName("error"))
          .withName("fovea_library_info");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 ABI_VERSION = Field.Int32.of(LAYOUT, "abi_version");
  public static final Field.Text BACKEND = Field.Text.of(LAYOUT, "backend");
  public static final Field.Text VERSION = Field.Text.of(LAYOUT, "version");
  public static final Field.Text BUILD = Field.Text.of(LAYOUT, "build");
  public static final Field.Text ERROR = Field.Text.of(LAYOUT, "error");

  private FoveaLibraryInfo() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

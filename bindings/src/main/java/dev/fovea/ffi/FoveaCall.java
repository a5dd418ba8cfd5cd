package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * {@code fovea_call}: which part of the work one run does; one for each worker. Fields as in {@code
 * fovea.h}.
 */
public final class FoveaCall {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("phase"),
              ValueLayout.JAVA_LONG.withName("begin"),
              ValueLayout.JAVA_LONG.withName("end"),
              ValueLayout.JAVA_LONG.withName("dropout_seed"),
              ValueLayout.JAVA_INT.withName("dropout_offset"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              MemoryLayout.sequenceLayout(Abi.ERROR_LENGTH, ValueLayout.JAVA_BYTE)
                  .withName("error"))
          .withName("fovea_call");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PHASE = Field.Int32.of(LAYOUT, "phase");
  public static final Field.Int64 BEGIN = Field.Int64.of(LAYOUT, "begin");
  public static final Field.Int64 END = Field.Int64.of(LAYOUT, "end");
  public static final Field.Int64 DROPOUT_SEED = Field.Int64.of(LAYOUT, "dropout_seed");
  public static final Field.Int32 DROPOUT_OFFSET = Field.Int32.of(LAYOUT, "dropout_offset");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Text ERROR = Field.Text.of(LAYOUT, "error");

  private FoveaCall() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

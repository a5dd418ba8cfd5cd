package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_rotary_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaRotarySpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("interleaved"),
              ValueLayout.JAVA_INT.withName("has_positions"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("heads"),
              ValueLayout.JAVA_LONG.withName("head_dim"),
              ValueLayout.JAVA_LONG.withName("pairs"),
              ValueLayout.JAVA_LONG.withName("position_count"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("x_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("cosines_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("sines_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("positions_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dx_stride")
          ).withName("fovea_rotary_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 INTERLEAVED = Field.Int32.of(LAYOUT, "interleaved");
  public static final Field.Int32 HAS_POSITIONS = Field.Int32.of(LAYOUT, "has_positions");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 HEADS = Field.Int64.of(LAYOUT, "heads");
  public static final Field.Int64 HEAD_DIM = Field.Int64.of(LAYOUT, "head_dim");
  public static final Field.Int64 PAIRS = Field.Int64.of(LAYOUT, "pairs");
  public static final Field.Int64 POSITION_COUNT = Field.Int64.of(LAYOUT, "position_count");
  public static final Field.Int64Array X_STRIDE = Field.Int64Array.of(LAYOUT, "x_stride");
  public static final Field.Int64Array COSINES_STRIDE = Field.Int64Array.of(LAYOUT,
      "cosines_stride");
  public static final Field.Int64Array SINES_STRIDE = Field.Int64Array.of(LAYOUT, "sines_stride");
  public static final Field.Int64Array POSITIONS_STRIDE = Field.Int64Array.of(LAYOUT,
      "positions_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DX_STRIDE = Field.Int64Array.of(LAYOUT, "dx_stride");

  private FoveaRotarySpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_channel_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaChannelSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("has_bias1"),
              ValueLayout.JAVA_INT.withName("has_bias2"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dweight1"),
              ValueLayout.JAVA_INT.withName("has_dbias1"),
              ValueLayout.JAVA_INT.withName("has_dweight2"),
              ValueLayout.JAVA_INT.withName("has_dbias2"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("channels"),
              ValueLayout.JAVA_LONG.withName("height"),
              ValueLayout.JAVA_LONG.withName("width"),
              ValueLayout.JAVA_LONG.withName("hidden"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("x_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("weight1_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("weight2_stride"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("dx_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dweight1_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dweight2_stride")
          ).withName("fovea_channel_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 HAS_BIAS1 = Field.Int32.of(LAYOUT, "has_bias1");
  public static final Field.Int32 HAS_BIAS2 = Field.Int32.of(LAYOUT, "has_bias2");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DWEIGHT1 = Field.Int32.of(LAYOUT, "has_dweight1");
  public static final Field.Int32 HAS_DBIAS1 = Field.Int32.of(LAYOUT, "has_dbias1");
  public static final Field.Int32 HAS_DWEIGHT2 = Field.Int32.of(LAYOUT, "has_dweight2");
  public static final Field.Int32 HAS_DBIAS2 = Field.Int32.of(LAYOUT, "has_dbias2");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 CHANNELS = Field.Int64.of(LAYOUT, "channels");
  public static final Field.Int64 HEIGHT = Field.Int64.of(LAYOUT, "height");
  public static final Field.Int64 WIDTH = Field.Int64.of(LAYOUT, "width");
  public static final Field.Int64 HIDDEN = Field.Int64.of(LAYOUT, "hidden");
  public static final Field.Int64Array X_STRIDE = Field.Int64Array.of(LAYOUT, "x_stride");
  public static final Field.Int64Array WEIGHT1_STRIDE = Field.Int64Array.of(LAYOUT,
      "weight1_stride");
  public static final Field.Int64Array WEIGHT2_STRIDE = Field.Int64Array.of(LAYOUT,
      "weight2_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DX_STRIDE = Field.Int64Array.of(LAYOUT, "dx_stride");
  public static final Field.Int64Array DWEIGHT1_STRIDE = Field.Int64Array.of(LAYOUT,
      "dweight1_stride");
  public static final Field.Int64Array DWEIGHT2_STRIDE = Field.Int64Array.of(LAYOUT,
      "dweight2_stride");

  private FoveaChannelSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

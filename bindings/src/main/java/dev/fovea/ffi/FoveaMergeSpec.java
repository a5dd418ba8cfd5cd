package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_merge_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaMergeSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("has_sinks"),
              ValueLayout.JAVA_INT.withName("has_lse"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("parts"),
              ValueLayout.JAVA_LONG.withName("query_length"),
              ValueLayout.JAVA_LONG.withName("query_heads"),
              ValueLayout.JAVA_LONG.withName("value_head_dim"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("outs_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("lses_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("lse_stride")
          ).withName("fovea_merge_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 HAS_SINKS = Field.Int32.of(LAYOUT, "has_sinks");
  public static final Field.Int32 HAS_LSE = Field.Int32.of(LAYOUT, "has_lse");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 PARTS = Field.Int64.of(LAYOUT, "parts");
  public static final Field.Int64 QUERY_LENGTH = Field.Int64.of(LAYOUT, "query_length");
  public static final Field.Int64 QUERY_HEADS = Field.Int64.of(LAYOUT, "query_heads");
  public static final Field.Int64 VALUE_HEAD_DIM = Field.Int64.of(LAYOUT, "value_head_dim");
  public static final Field.Int64Array OUTS_STRIDE = Field.Int64Array.of(LAYOUT, "outs_stride");
  public static final Field.Int64Array LSES_STRIDE = Field.Int64Array.of(LAYOUT, "lses_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array LSE_STRIDE = Field.Int64Array.of(LAYOUT, "lse_stride");

  private FoveaMergeSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * {@code fovea_attention_gradients}: what a backward pass writes beside the spec of its forward.
 * Fields as in {@code fovea.h}.
 */
public final class FoveaAttentionGradients {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dbias"),
              ValueLayout.JAVA_INT.withName("has_dalibi"),
              ValueLayout.JAVA_INT.withName("has_dsinks"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dquery_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dkey_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dvalue_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dbias_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dalibi_stride"))
          .withName("fovea_attention_gradients");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DBIAS = Field.Int32.of(LAYOUT, "has_dbias");
  public static final Field.Int32 HAS_DALIBI = Field.Int32.of(LAYOUT, "has_dalibi");
  public static final Field.Int32 HAS_DSINKS = Field.Int32.of(LAYOUT, "has_dsinks");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DQUERY_STRIDE = Field.Int64Array.of(LAYOUT, "dquery_stride");
  public static final Field.Int64Array DKEY_STRIDE = Field.Int64Array.of(LAYOUT, "dkey_stride");
  public static final Field.Int64Array DVALUE_STRIDE = Field.Int64Array.of(LAYOUT, "dvalue_stride");
  public static final Field.Int64Array DBIAS_STRIDE = Field.Int64Array.of(LAYOUT, "dbias_stride");
  public static final Field.Int64Array DALIBI_STRIDE = Field.Int64Array.of(LAYOUT, "dalibi_stride");

  private FoveaAttentionGradients() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_embedding_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaEmbeddingSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("has_scale"),
              ValueLayout.JAVA_INT.withName("has_padding"),
              ValueLayout.JAVA_INT.withName("has_positions"),
              ValueLayout.JAVA_INT.withName("has_position_ids"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dtable"),
              ValueLayout.JAVA_INT.withName("has_dpositions"),
              ValueLayout.JAVA_FLOAT.withName("scale"),
              ValueLayout.JAVA_LONG.withName("padding"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("vocabulary"),
              ValueLayout.JAVA_LONG.withName("width"),
              ValueLayout.JAVA_LONG.withName("position_count"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("table_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("ids_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("positions_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("position_ids_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dtable_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dpositions_stride")
          ).withName("fovea_embedding_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 HAS_SCALE = Field.Int32.of(LAYOUT, "has_scale");
  public static final Field.Int32 HAS_PADDING = Field.Int32.of(LAYOUT, "has_padding");
  public static final Field.Int32 HAS_POSITIONS = Field.Int32.of(LAYOUT, "has_positions");
  public static final Field.Int32 HAS_POSITION_IDS = Field.Int32.of(LAYOUT, "has_position_ids");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DTABLE = Field.Int32.of(LAYOUT, "has_dtable");
  public static final Field.Int32 HAS_DPOSITIONS = Field.Int32.of(LAYOUT, "has_dpositions");
  public static final Field.Float32 SCALE = Field.Float32.of(LAYOUT, "scale");
  public static final Field.Int64 PADDING = Field.Int64.of(LAYOUT, "padding");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 VOCABULARY = Field.Int64.of(LAYOUT, "vocabulary");
  public static final Field.Int64 WIDTH = Field.Int64.of(LAYOUT, "width");
  public static final Field.Int64 POSITION_COUNT = Field.Int64.of(LAYOUT, "position_count");
  public static final Field.Int64Array TABLE_STRIDE = Field.Int64Array.of(LAYOUT, "table_stride");
  public static final Field.Int64Array IDS_STRIDE = Field.Int64Array.of(LAYOUT, "ids_stride");
  public static final Field.Int64Array POSITIONS_STRIDE = Field.Int64Array.of(LAYOUT,
      "positions_stride");
  public static final Field.Int64Array POSITION_IDS_STRIDE = Field.Int64Array.of(LAYOUT,
      "position_ids_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DTABLE_STRIDE = Field.Int64Array.of(LAYOUT, "dtable_stride");
  public static final Field.Int64Array DPOSITIONS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dpositions_stride");

  private FoveaEmbeddingSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

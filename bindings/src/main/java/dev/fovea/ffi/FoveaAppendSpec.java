package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_append_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaAppendSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("cache_dtype"),
              ValueLayout.JAVA_INT.withName("packed"),
              ValueLayout.JAVA_INT.withName("interleaved"),
              ValueLayout.JAVA_INT.withName("has_value"),
              ValueLayout.JAVA_INT.withName("has_lengths"),
              ValueLayout.JAVA_INT.withName("has_cosines"),
              ValueLayout.JAVA_INT.withName("has_sines"),
              ValueLayout.JAVA_INT.withName("has_positions"),
              ValueLayout.JAVA_INT.withName("has_block_table"),
              ValueLayout.JAVA_INT.withName("has_value_cache"),
              ValueLayout.JAVA_INT.withName("has_key_scales"),
              ValueLayout.JAVA_INT.withName("has_value_scales"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("key_heads"),
              ValueLayout.JAVA_LONG.withName("head_dim"),
              ValueLayout.JAVA_LONG.withName("value_head_dim"),
              ValueLayout.JAVA_LONG.withName("cache_length"),
              ValueLayout.JAVA_LONG.withName("page_count"),
              ValueLayout.JAVA_LONG.withName("page_size"),
              ValueLayout.JAVA_LONG.withName("page_columns"),
              ValueLayout.JAVA_LONG.withName("pairs"),
              ValueLayout.JAVA_LONG.withName("position_count"),
              ValueLayout.JAVA_LONG.withName("new_total"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("value_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("cosines_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("sines_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("positions_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("block_table_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_cache_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("value_cache_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("key_scales_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("value_scales_stride")
          ).withName("fovea_append_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 CACHE_DTYPE = Field.Int32.of(LAYOUT, "cache_dtype");
  public static final Field.Int32 PACKED = Field.Int32.of(LAYOUT, "packed");
  public static final Field.Int32 INTERLEAVED = Field.Int32.of(LAYOUT, "interleaved");
  public static final Field.Int32 HAS_VALUE = Field.Int32.of(LAYOUT, "has_value");
  public static final Field.Int32 HAS_LENGTHS = Field.Int32.of(LAYOUT, "has_lengths");
  public static final Field.Int32 HAS_COSINES = Field.Int32.of(LAYOUT, "has_cosines");
  public static final Field.Int32 HAS_SINES = Field.Int32.of(LAYOUT, "has_sines");
  public static final Field.Int32 HAS_POSITIONS = Field.Int32.of(LAYOUT, "has_positions");
  public static final Field.Int32 HAS_BLOCK_TABLE = Field.Int32.of(LAYOUT, "has_block_table");
  public static final Field.Int32 HAS_VALUE_CACHE = Field.Int32.of(LAYOUT, "has_value_cache");
  public static final Field.Int32 HAS_KEY_SCALES = Field.Int32.of(LAYOUT, "has_key_scales");
  public static final Field.Int32 HAS_VALUE_SCALES = Field.Int32.of(LAYOUT, "has_value_scales");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 KEY_HEADS = Field.Int64.of(LAYOUT, "key_heads");
  public static final Field.Int64 HEAD_DIM = Field.Int64.of(LAYOUT, "head_dim");
  public static final Field.Int64 VALUE_HEAD_DIM = Field.Int64.of(LAYOUT, "value_head_dim");
  public static final Field.Int64 CACHE_LENGTH = Field.Int64.of(LAYOUT, "cache_length");
  public static final Field.Int64 PAGE_COUNT = Field.Int64.of(LAYOUT, "page_count");
  public static final Field.Int64 PAGE_SIZE = Field.Int64.of(LAYOUT, "page_size");
  public static final Field.Int64 PAGE_COLUMNS = Field.Int64.of(LAYOUT, "page_columns");
  public static final Field.Int64 PAIRS = Field.Int64.of(LAYOUT, "pairs");
  public static final Field.Int64 POSITION_COUNT = Field.Int64.of(LAYOUT, "position_count");
  public static final Field.Int64 NEW_TOTAL = Field.Int64.of(LAYOUT, "new_total");
  public static final Field.Int64Array KEY_STRIDE = Field.Int64Array.of(LAYOUT, "key_stride");
  public static final Field.Int64Array VALUE_STRIDE = Field.Int64Array.of(LAYOUT, "value_stride");
  public static final Field.Int64Array COSINES_STRIDE = Field.Int64Array.of(LAYOUT,
      "cosines_stride");
  public static final Field.Int64Array SINES_STRIDE = Field.Int64Array.of(LAYOUT, "sines_stride");
  public static final Field.Int64Array POSITIONS_STRIDE = Field.Int64Array.of(LAYOUT,
      "positions_stride");
  public static final Field.Int64Array BLOCK_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "block_table_stride");
  public static final Field.Int64Array KEY_CACHE_STRIDE = Field.Int64Array.of(LAYOUT,
      "key_cache_stride");
  public static final Field.Int64Array VALUE_CACHE_STRIDE = Field.Int64Array.of(LAYOUT,
      "value_cache_stride");
  public static final Field.Int64Array KEY_SCALES_STRIDE = Field.Int64Array.of(LAYOUT,
      "key_scales_stride");
  public static final Field.Int64Array VALUE_SCALES_STRIDE = Field.Int64Array.of(LAYOUT,
      "value_scales_stride");

  private FoveaAppendSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_distance_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaDistanceSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("packed"),
              ValueLayout.JAVA_INT.withName("causal"),
              ValueLayout.JAVA_INT.withName("alignment"),
              ValueLayout.JAVA_INT.withName("has_window_left"),
              ValueLayout.JAVA_INT.withName("has_window_right"),
              ValueLayout.JAVA_INT.withName("fit"),
              ValueLayout.JAVA_INT.withName("has_query_lengths"),
              ValueLayout.JAVA_INT.withName("has_key_lengths"),
              ValueLayout.JAVA_INT.withName("has_lse"),
              ValueLayout.JAVA_INT.withName("has_weights"),
              ValueLayout.JAVA_INT.withName("has_top_weights"),
              ValueLayout.JAVA_INT.withName("has_top_keys"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dbandwidth"),
              ValueLayout.JAVA_FLOAT.withName("dropout"),
              ValueLayout.JAVA_FLOAT.withName("ridge"),
              ValueLayout.JAVA_LONG.withName("window_left"),
              ValueLayout.JAVA_LONG.withName("window_right"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("query_length"),
              ValueLayout.JAVA_LONG.withName("key_length"),
              ValueLayout.JAVA_LONG.withName("query_heads"),
              ValueLayout.JAVA_LONG.withName("key_heads"),
              ValueLayout.JAVA_LONG.withName("head_dim"),
              ValueLayout.JAVA_LONG.withName("value_head_dim"),
              ValueLayout.JAVA_LONG.withName("top_count"),
              ValueLayout.JAVA_LONG.withName("query_total"),
              ValueLayout.JAVA_LONG.withName("key_total"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("query_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("value_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("lse_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("weights_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("top_weights_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("top_keys_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dquery_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dkey_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dvalue_stride")
          ).withName("fovea_distance_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 PACKED = Field.Int32.of(LAYOUT, "packed");
  public static final Field.Int32 CAUSAL = Field.Int32.of(LAYOUT, "causal");
  public static final Field.Int32 ALIGNMENT = Field.Int32.of(LAYOUT, "alignment");
  public static final Field.Int32 HAS_WINDOW_LEFT = Field.Int32.of(LAYOUT, "has_window_left");
  public static final Field.Int32 HAS_WINDOW_RIGHT = Field.Int32.of(LAYOUT, "has_window_right");
  public static final Field.Int32 FIT = Field.Int32.of(LAYOUT, "fit");
  public static final Field.Int32 HAS_QUERY_LENGTHS = Field.Int32.of(LAYOUT, "has_query_lengths");
  public static final Field.Int32 HAS_KEY_LENGTHS = Field.Int32.of(LAYOUT, "has_key_lengths");
  public static final Field.Int32 HAS_LSE = Field.Int32.of(LAYOUT, "has_lse");
  public static final Field.Int32 HAS_WEIGHTS = Field.Int32.of(LAYOUT, "has_weights");
  public static final Field.Int32 HAS_TOP_WEIGHTS = Field.Int32.of(LAYOUT, "has_top_weights");
  public static final Field.Int32 HAS_TOP_KEYS = Field.Int32.of(LAYOUT, "has_top_keys");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DBANDWIDTH = Field.Int32.of(LAYOUT, "has_dbandwidth");
  public static final Field.Float32 DROPOUT = Field.Float32.of(LAYOUT, "dropout");
  public static final Field.Float32 RIDGE = Field.Float32.of(LAYOUT, "ridge");
  public static final Field.Int64 WINDOW_LEFT = Field.Int64.of(LAYOUT, "window_left");
  public static final Field.Int64 WINDOW_RIGHT = Field.Int64.of(LAYOUT, "window_right");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 QUERY_LENGTH = Field.Int64.of(LAYOUT, "query_length");
  public static final Field.Int64 KEY_LENGTH = Field.Int64.of(LAYOUT, "key_length");
  public static final Field.Int64 QUERY_HEADS = Field.Int64.of(LAYOUT, "query_heads");
  public static final Field.Int64 KEY_HEADS = Field.Int64.of(LAYOUT, "key_heads");
  public static final Field.Int64 HEAD_DIM = Field.Int64.of(LAYOUT, "head_dim");
  public static final Field.Int64 VALUE_HEAD_DIM = Field.Int64.of(LAYOUT, "value_head_dim");
  public static final Field.Int64 TOP_COUNT = Field.Int64.of(LAYOUT, "top_count");
  public static final Field.Int64 QUERY_TOTAL = Field.Int64.of(LAYOUT, "query_total");
  public static final Field.Int64 KEY_TOTAL = Field.Int64.of(LAYOUT, "key_total");
  public static final Field.Int64Array QUERY_STRIDE = Field.Int64Array.of(LAYOUT, "query_stride");
  public static final Field.Int64Array KEY_STRIDE = Field.Int64Array.of(LAYOUT, "key_stride");
  public static final Field.Int64Array VALUE_STRIDE = Field.Int64Array.of(LAYOUT, "value_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array LSE_STRIDE = Field.Int64Array.of(LAYOUT, "lse_stride");
  public static final Field.Int64Array WEIGHTS_STRIDE = Field.Int64Array.of(LAYOUT,
      "weights_stride");
  public static final Field.Int64Array TOP_WEIGHTS_STRIDE = Field.Int64Array.of(LAYOUT,
      "top_weights_stride");
  public static final Field.Int64Array TOP_KEYS_STRIDE = Field.Int64Array.of(LAYOUT,
      "top_keys_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DQUERY_STRIDE = Field.Int64Array.of(LAYOUT, "dquery_stride");
  public static final Field.Int64Array DKEY_STRIDE = Field.Int64Array.of(LAYOUT, "dkey_stride");
  public static final Field.Int64Array DVALUE_STRIDE = Field.Int64Array.of(LAYOUT, "dvalue_stride");

  private FoveaDistanceSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

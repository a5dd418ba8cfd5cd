package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_linear_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaLinearSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("decay_dtype"),
              ValueLayout.JAVA_INT.withName("key_decay_dtype"),
              ValueLayout.JAVA_INT.withName("beta_dtype"),
              ValueLayout.JAVA_INT.withName("packed"),
              ValueLayout.JAVA_INT.withName("causal"),
              ValueLayout.JAVA_INT.withName("normalised"),
              ValueLayout.JAVA_INT.withName("feature_map"),
              ValueLayout.JAVA_INT.withName("has_scale"),
              ValueLayout.JAVA_INT.withName("has_initial_state"),
              ValueLayout.JAVA_INT.withName("has_initial_sum"),
              ValueLayout.JAVA_INT.withName("has_query_lengths"),
              ValueLayout.JAVA_INT.withName("has_key_lengths"),
              ValueLayout.JAVA_INT.withName("has_final_state"),
              ValueLayout.JAVA_INT.withName("has_final_sum"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_ddecay"),
              ValueLayout.JAVA_INT.withName("has_dkey_decay"),
              ValueLayout.JAVA_INT.withName("has_dbeta"),
              ValueLayout.JAVA_INT.withName("has_dinitial_state"),
              ValueLayout.JAVA_INT.withName("has_dinitial_sum"),
              ValueLayout.JAVA_FLOAT.withName("scale"),
              ValueLayout.JAVA_INT.withName("reserved0"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("query_length"),
              ValueLayout.JAVA_LONG.withName("key_length"),
              ValueLayout.JAVA_LONG.withName("query_heads"),
              ValueLayout.JAVA_LONG.withName("key_heads"),
              ValueLayout.JAVA_LONG.withName("head_dim"),
              ValueLayout.JAVA_LONG.withName("value_head_dim"),
              ValueLayout.JAVA_LONG.withName("query_total"),
              ValueLayout.JAVA_LONG.withName("key_total"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("query_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("value_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("decay_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_decay_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("beta_stride"),
              MemoryLayout.sequenceLayout(3,
                  ValueLayout.JAVA_LONG).withName("initial_state_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("initial_sum_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("final_state_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("final_sum_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dquery_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dkey_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dvalue_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("ddecay_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dkey_decay_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dbeta_stride"),
              MemoryLayout.sequenceLayout(3,
                  ValueLayout.JAVA_LONG).withName("dinitial_state_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dinitial_sum_stride")
          ).withName("fovea_linear_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 DECAY_DTYPE = Field.Int32.of(LAYOUT, "decay_dtype");
  public static final Field.Int32 KEY_DECAY_DTYPE = Field.Int32.of(LAYOUT, "key_decay_dtype");
  public static final Field.Int32 BETA_DTYPE = Field.Int32.of(LAYOUT, "beta_dtype");
  public static final Field.Int32 PACKED = Field.Int32.of(LAYOUT, "packed");
  public static final Field.Int32 CAUSAL = Field.Int32.of(LAYOUT, "causal");
  public static final Field.Int32 NORMALISED = Field.Int32.of(LAYOUT, "normalised");
  public static final Field.Int32 FEATURE_MAP = Field.Int32.of(LAYOUT, "feature_map");
  public static final Field.Int32 HAS_SCALE = Field.Int32.of(LAYOUT, "has_scale");
  public static final Field.Int32 HAS_INITIAL_STATE = Field.Int32.of(LAYOUT, "has_initial_state");
  public static final Field.Int32 HAS_INITIAL_SUM = Field.Int32.of(LAYOUT, "has_initial_sum");
  public static final Field.Int32 HAS_QUERY_LENGTHS = Field.Int32.of(LAYOUT, "has_query_lengths");
  public static final Field.Int32 HAS_KEY_LENGTHS = Field.Int32.of(LAYOUT, "has_key_lengths");
  public static final Field.Int32 HAS_FINAL_STATE = Field.Int32.of(LAYOUT, "has_final_state");
  public static final Field.Int32 HAS_FINAL_SUM = Field.Int32.of(LAYOUT, "has_final_sum");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DDECAY = Field.Int32.of(LAYOUT, "has_ddecay");
  public static final Field.Int32 HAS_DKEY_DECAY = Field.Int32.of(LAYOUT, "has_dkey_decay");
  public static final Field.Int32 HAS_DBETA = Field.Int32.of(LAYOUT, "has_dbeta");
  public static final Field.Int32 HAS_DINITIAL_STATE = Field.Int32.of(LAYOUT, "has_dinitial_state");
  public static final Field.Int32 HAS_DINITIAL_SUM = Field.Int32.of(LAYOUT, "has_dinitial_sum");
  public static final Field.Float32 SCALE = Field.Float32.of(LAYOUT, "scale");
  public static final Field.Int32 RESERVED0 = Field.Int32.of(LAYOUT, "reserved0");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 QUERY_LENGTH = Field.Int64.of(LAYOUT, "query_length");
  public static final Field.Int64 KEY_LENGTH = Field.Int64.of(LAYOUT, "key_length");
  public static final Field.Int64 QUERY_HEADS = Field.Int64.of(LAYOUT, "query_heads");
  public static final Field.Int64 KEY_HEADS = Field.Int64.of(LAYOUT, "key_heads");
  public static final Field.Int64 HEAD_DIM = Field.Int64.of(LAYOUT, "head_dim");
  public static final Field.Int64 VALUE_HEAD_DIM = Field.Int64.of(LAYOUT, "value_head_dim");
  public static final Field.Int64 QUERY_TOTAL = Field.Int64.of(LAYOUT, "query_total");
  public static final Field.Int64 KEY_TOTAL = Field.Int64.of(LAYOUT, "key_total");
  public static final Field.Int64Array QUERY_STRIDE = Field.Int64Array.of(LAYOUT, "query_stride");
  public static final Field.Int64Array KEY_STRIDE = Field.Int64Array.of(LAYOUT, "key_stride");
  public static final Field.Int64Array VALUE_STRIDE = Field.Int64Array.of(LAYOUT, "value_stride");
  public static final Field.Int64Array DECAY_STRIDE = Field.Int64Array.of(LAYOUT, "decay_stride");
  public static final Field.Int64Array KEY_DECAY_STRIDE = Field.Int64Array.of(LAYOUT,
      "key_decay_stride");
  public static final Field.Int64Array BETA_STRIDE = Field.Int64Array.of(LAYOUT, "beta_stride");
  public static final Field.Int64Array INITIAL_STATE_STRIDE = Field.Int64Array.of(LAYOUT,
      "initial_state_stride");
  public static final Field.Int64Array INITIAL_SUM_STRIDE = Field.Int64Array.of(LAYOUT,
      "initial_sum_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array FINAL_STATE_STRIDE = Field.Int64Array.of(LAYOUT,
      "final_state_stride");
  public static final Field.Int64Array FINAL_SUM_STRIDE = Field.Int64Array.of(LAYOUT,
      "final_sum_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DQUERY_STRIDE = Field.Int64Array.of(LAYOUT, "dquery_stride");
  public static final Field.Int64Array DKEY_STRIDE = Field.Int64Array.of(LAYOUT, "dkey_stride");
  public static final Field.Int64Array DVALUE_STRIDE = Field.Int64Array.of(LAYOUT, "dvalue_stride");
  public static final Field.Int64Array DDECAY_STRIDE = Field.Int64Array.of(LAYOUT, "ddecay_stride");
  public static final Field.Int64Array DKEY_DECAY_STRIDE = Field.Int64Array.of(LAYOUT,
      "dkey_decay_stride");
  public static final Field.Int64Array DBETA_STRIDE = Field.Int64Array.of(LAYOUT, "dbeta_stride");
  public static final Field.Int64Array DINITIAL_STATE_STRIDE = Field.Int64Array.of(LAYOUT,
      "dinitial_state_stride");
  public static final Field.Int64Array DINITIAL_SUM_STRIDE = Field.Int64Array.of(LAYOUT,
      "dinitial_sum_stride");

  private FoveaLinearSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

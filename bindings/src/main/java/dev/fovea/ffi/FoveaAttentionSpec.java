package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_attention_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaAttentionSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("bias_dtype"),
              ValueLayout.JAVA_INT.withName("output_gates_dtype"),
              ValueLayout.JAVA_INT.withName("cache_dtype"),
              ValueLayout.JAVA_INT.withName("packed"),
              ValueLayout.JAVA_INT.withName("causal"),
              ValueLayout.JAVA_INT.withName("alignment"),
              ValueLayout.JAVA_INT.withName("has_window_left"),
              ValueLayout.JAVA_INT.withName("has_window_right"),
              ValueLayout.JAVA_INT.withName("has_image_width"),
              ValueLayout.JAVA_INT.withName("has_window_rows"),
              ValueLayout.JAVA_INT.withName("has_window_columns"),
              ValueLayout.JAVA_INT.withName("has_block_queries"),
              ValueLayout.JAVA_INT.withName("has_block_keys"),
              ValueLayout.JAVA_INT.withName("has_modifier_key"),
              ValueLayout.JAVA_INT.withName("has_position_origin"),
              ValueLayout.JAVA_INT.withName("has_scale"),
              ValueLayout.JAVA_INT.withName("allow_tf32"),
              ValueLayout.JAVA_INT.withName("has_query_scales"),
              ValueLayout.JAVA_INT.withName("has_key_scales"),
              ValueLayout.JAVA_INT.withName("has_value_scales"),
              ValueLayout.JAVA_INT.withName("has_block_table"),
              ValueLayout.JAVA_INT.withName("has_tree_mask"),
              ValueLayout.JAVA_INT.withName("has_content_bias"),
              ValueLayout.JAVA_INT.withName("has_position_bias"),
              ValueLayout.JAVA_INT.withName("has_position_keys"),
              ValueLayout.JAVA_INT.withName("has_mask"),
              ValueLayout.JAVA_INT.withName("has_block_offsets"),
              ValueLayout.JAVA_INT.withName("has_block_indices"),
              ValueLayout.JAVA_INT.withName("has_relative_table"),
              ValueLayout.JAVA_INT.withName("has_relative_buckets"),
              ValueLayout.JAVA_INT.withName("has_modifier_program"),
              ValueLayout.JAVA_INT.withName("has_modifier_table"),
              ValueLayout.JAVA_INT.withName("has_alibi_slopes"),
              ValueLayout.JAVA_INT.withName("has_gaussian_centers"),
              ValueLayout.JAVA_INT.withName("has_spans"),
              ValueLayout.JAVA_INT.withName("has_key_gates"),
              ValueLayout.JAVA_INT.withName("has_sinks"),
              ValueLayout.JAVA_INT.withName("has_query_lengths"),
              ValueLayout.JAVA_INT.withName("has_key_lengths"),
              ValueLayout.JAVA_INT.withName("has_lse"),
              ValueLayout.JAVA_INT.withName("has_weights"),
              ValueLayout.JAVA_INT.withName("has_top_weights"),
              ValueLayout.JAVA_INT.withName("has_top_keys"),
              ValueLayout.JAVA_INT.withName("has_ungated"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dcontent_bias"),
              ValueLayout.JAVA_INT.withName("has_dposition_bias"),
              ValueLayout.JAVA_INT.withName("has_dposition_keys"),
              ValueLayout.JAVA_INT.withName("has_dbias"),
              ValueLayout.JAVA_INT.withName("has_drelative_table"),
              ValueLayout.JAVA_INT.withName("has_dmodifier_table"),
              ValueLayout.JAVA_INT.withName("has_dalibi_slopes"),
              ValueLayout.JAVA_INT.withName("has_dgaussian_centers"),
              ValueLayout.JAVA_INT.withName("has_dspans"),
              ValueLayout.JAVA_INT.withName("has_dkey_gates"),
              ValueLayout.JAVA_INT.withName("has_doutput_gates"),
              ValueLayout.JAVA_INT.withName("has_dsinks"),
              ValueLayout.JAVA_FLOAT.withName("scale"),
              ValueLayout.JAVA_FLOAT.withName("softcap"),
              ValueLayout.JAVA_FLOAT.withName("gaussian_sigma"),
              ValueLayout.JAVA_FLOAT.withName("span_ramp"),
              ValueLayout.JAVA_FLOAT.withName("dropout"),
              ValueLayout.JAVA_LONG.withName("window_left"),
              ValueLayout.JAVA_LONG.withName("window_right"),
              ValueLayout.JAVA_LONG.withName("image_width"),
              ValueLayout.JAVA_LONG.withName("window_rows"),
              ValueLayout.JAVA_LONG.withName("window_columns"),
              ValueLayout.JAVA_LONG.withName("block_queries"),
              ValueLayout.JAVA_LONG.withName("block_keys"),
              ValueLayout.JAVA_LONG.withName("modifier_key"),
              ValueLayout.JAVA_LONG.withName("position_origin"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("query_length"),
              ValueLayout.JAVA_LONG.withName("key_length"),
              ValueLayout.JAVA_LONG.withName("query_heads"),
              ValueLayout.JAVA_LONG.withName("key_heads"),
              ValueLayout.JAVA_LONG.withName("head_dim"),
              ValueLayout.JAVA_LONG.withName("value_head_dim"),
              ValueLayout.JAVA_LONG.withName("relative_width"),
              ValueLayout.JAVA_LONG.withName("relative_count"),
              ValueLayout.JAVA_LONG.withName("position_count"),
              ValueLayout.JAVA_LONG.withName("block_rows"),
              ValueLayout.JAVA_LONG.withName("block_count"),
              ValueLayout.JAVA_LONG.withName("modifier_words"),
              ValueLayout.JAVA_LONG.withName("modifier_columns"),
              ValueLayout.JAVA_LONG.withName("page_count"),
              ValueLayout.JAVA_LONG.withName("page_size"),
              ValueLayout.JAVA_LONG.withName("page_columns"),
              ValueLayout.JAVA_LONG.withName("top_count"),
              ValueLayout.JAVA_LONG.withName("query_total"),
              ValueLayout.JAVA_LONG.withName("key_total"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("query_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("key_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("value_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("query_scales_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("key_scales_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("value_scales_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("block_table_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("tree_mask_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("content_bias_stride"),
              MemoryLayout.sequenceLayout(1,
                  ValueLayout.JAVA_LONG).withName("position_bias_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("position_keys_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("bias_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("mask_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("block_offsets_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("block_indices_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("relative_table_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("modifier_table_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("alibi_slopes_stride"),
              MemoryLayout.sequenceLayout(3,
                  ValueLayout.JAVA_LONG).withName("gaussian_centers_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("spans_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("key_gates_stride"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("output_gates_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("lse_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("weights_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("top_weights_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("top_keys_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("ungated_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dquery_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dkey_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dvalue_stride"),
              MemoryLayout.sequenceLayout(1,
                  ValueLayout.JAVA_LONG).withName("dcontent_bias_stride"),
              MemoryLayout.sequenceLayout(1,
                  ValueLayout.JAVA_LONG).withName("dposition_bias_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("dposition_keys_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dbias_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("drelative_table_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("dmodifier_table_stride"),
              MemoryLayout.sequenceLayout(2,
                  ValueLayout.JAVA_LONG).withName("dalibi_slopes_stride"),
              MemoryLayout.sequenceLayout(3,
                  ValueLayout.JAVA_LONG).withName("dgaussian_centers_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dspans_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dkey_gates_stride"),
              MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_LONG).withName("doutput_gates_stride")
          ).withName("fovea_attention_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 BIAS_DTYPE = Field.Int32.of(LAYOUT, "bias_dtype");
  public static final Field.Int32 OUTPUT_GATES_DTYPE = Field.Int32.of(LAYOUT, "output_gates_dtype");
  public static final Field.Int32 CACHE_DTYPE = Field.Int32.of(LAYOUT, "cache_dtype");
  public static final Field.Int32 PACKED = Field.Int32.of(LAYOUT, "packed");
  public static final Field.Int32 CAUSAL = Field.Int32.of(LAYOUT, "causal");
  public static final Field.Int32 ALIGNMENT = Field.Int32.of(LAYOUT, "alignment");
  public static final Field.Int32 HAS_WINDOW_LEFT = Field.Int32.of(LAYOUT, "has_window_left");
  public static final Field.Int32 HAS_WINDOW_RIGHT = Field.Int32.of(LAYOUT, "has_window_right");
  public static final Field.Int32 HAS_IMAGE_WIDTH = Field.Int32.of(LAYOUT, "has_image_width");
  public static final Field.Int32 HAS_WINDOW_ROWS = Field.Int32.of(LAYOUT, "has_window_rows");
  public static final Field.Int32 HAS_WINDOW_COLUMNS = Field.Int32.of(LAYOUT, "has_window_columns");
  public static final Field.Int32 HAS_BLOCK_QUERIES = Field.Int32.of(LAYOUT, "has_block_queries");
  public static final Field.Int32 HAS_BLOCK_KEYS = Field.Int32.of(LAYOUT, "has_block_keys");
  public static final Field.Int32 HAS_MODIFIER_KEY = Field.Int32.of(LAYOUT, "has_modifier_key");
  public static final Field.Int32 HAS_POSITION_ORIGIN = Field.Int32.of(LAYOUT,
      "has_position_origin");
  public static final Field.Int32 HAS_SCALE = Field.Int32.of(LAYOUT, "has_scale");
  public static final Field.Int32 ALLOW_TF32 = Field.Int32.of(LAYOUT, "allow_tf32");
  public static final Field.Int32 HAS_QUERY_SCALES = Field.Int32.of(LAYOUT, "has_query_scales");
  public static final Field.Int32 HAS_KEY_SCALES = Field.Int32.of(LAYOUT, "has_key_scales");
  public static final Field.Int32 HAS_VALUE_SCALES = Field.Int32.of(LAYOUT, "has_value_scales");
  public static final Field.Int32 HAS_BLOCK_TABLE = Field.Int32.of(LAYOUT, "has_block_table");
  public static final Field.Int32 HAS_TREE_MASK = Field.Int32.of(LAYOUT, "has_tree_mask");
  public static final Field.Int32 HAS_CONTENT_BIAS = Field.Int32.of(LAYOUT, "has_content_bias");
  public static final Field.Int32 HAS_POSITION_BIAS = Field.Int32.of(LAYOUT, "has_position_bias");
  public static final Field.Int32 HAS_POSITION_KEYS = Field.Int32.of(LAYOUT, "has_position_keys");
  public static final Field.Int32 HAS_MASK = Field.Int32.of(LAYOUT, "has_mask");
  public static final Field.Int32 HAS_BLOCK_OFFSETS = Field.Int32.of(LAYOUT, "has_block_offsets");
  public static final Field.Int32 HAS_BLOCK_INDICES = Field.Int32.of(LAYOUT, "has_block_indices");
  public static final Field.Int32 HAS_RELATIVE_TABLE = Field.Int32.of(LAYOUT, "has_relative_table");
  public static final Field.Int32 HAS_RELATIVE_BUCKETS = Field.Int32.of(LAYOUT,
      "has_relative_buckets");
  public static final Field.Int32 HAS_MODIFIER_PROGRAM = Field.Int32.of(LAYOUT,
      "has_modifier_program");
  public static final Field.Int32 HAS_MODIFIER_TABLE = Field.Int32.of(LAYOUT, "has_modifier_table");
  public static final Field.Int32 HAS_ALIBI_SLOPES = Field.Int32.of(LAYOUT, "has_alibi_slopes");
  public static final Field.Int32 HAS_GAUSSIAN_CENTERS = Field.Int32.of(LAYOUT,
      "has_gaussian_centers");
  public static final Field.Int32 HAS_SPANS = Field.Int32.of(LAYOUT, "has_spans");
  public static final Field.Int32 HAS_KEY_GATES = Field.Int32.of(LAYOUT, "has_key_gates");
  public static final Field.Int32 HAS_SINKS = Field.Int32.of(LAYOUT, "has_sinks");
  public static final Field.Int32 HAS_QUERY_LENGTHS = Field.Int32.of(LAYOUT, "has_query_lengths");
  public static final Field.Int32 HAS_KEY_LENGTHS = Field.Int32.of(LAYOUT, "has_key_lengths");
  public static final Field.Int32 HAS_LSE = Field.Int32.of(LAYOUT, "has_lse");
  public static final Field.Int32 HAS_WEIGHTS = Field.Int32.of(LAYOUT, "has_weights");
  public static final Field.Int32 HAS_TOP_WEIGHTS = Field.Int32.of(LAYOUT, "has_top_weights");
  public static final Field.Int32 HAS_TOP_KEYS = Field.Int32.of(LAYOUT, "has_top_keys");
  public static final Field.Int32 HAS_UNGATED = Field.Int32.of(LAYOUT, "has_ungated");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DCONTENT_BIAS = Field.Int32.of(LAYOUT, "has_dcontent_bias");
  public static final Field.Int32 HAS_DPOSITION_BIAS = Field.Int32.of(LAYOUT, "has_dposition_bias");
  public static final Field.Int32 HAS_DPOSITION_KEYS = Field.Int32.of(LAYOUT, "has_dposition_keys");
  public static final Field.Int32 HAS_DBIAS = Field.Int32.of(LAYOUT, "has_dbias");
  public static final Field.Int32 HAS_DRELATIVE_TABLE = Field.Int32.of(LAYOUT,
      "has_drelative_table");
  public static final Field.Int32 HAS_DMODIFIER_TABLE = Field.Int32.of(LAYOUT,
      "has_dmodifier_table");
  public static final Field.Int32 HAS_DALIBI_SLOPES = Field.Int32.of(LAYOUT, "has_dalibi_slopes");
  public static final Field.Int32 HAS_DGAUSSIAN_CENTERS = Field.Int32.of(LAYOUT,
      "has_dgaussian_centers");
  public static final Field.Int32 HAS_DSPANS = Field.Int32.of(LAYOUT, "has_dspans");
  public static final Field.Int32 HAS_DKEY_GATES = Field.Int32.of(LAYOUT, "has_dkey_gates");
  public static final Field.Int32 HAS_DOUTPUT_GATES = Field.Int32.of(LAYOUT, "has_doutput_gates");
  public static final Field.Int32 HAS_DSINKS = Field.Int32.of(LAYOUT, "has_dsinks");
  public static final Field.Float32 SCALE = Field.Float32.of(LAYOUT, "scale");
  public static final Field.Float32 SOFTCAP = Field.Float32.of(LAYOUT, "softcap");
  public static final Field.Float32 GAUSSIAN_SIGMA = Field.Float32.of(LAYOUT, "gaussian_sigma");
  public static final Field.Float32 SPAN_RAMP = Field.Float32.of(LAYOUT, "span_ramp");
  public static final Field.Float32 DROPOUT = Field.Float32.of(LAYOUT, "dropout");
  public static final Field.Int64 WINDOW_LEFT = Field.Int64.of(LAYOUT, "window_left");
  public static final Field.Int64 WINDOW_RIGHT = Field.Int64.of(LAYOUT, "window_right");
  public static final Field.Int64 IMAGE_WIDTH = Field.Int64.of(LAYOUT, "image_width");
  public static final Field.Int64 WINDOW_ROWS = Field.Int64.of(LAYOUT, "window_rows");
  public static final Field.Int64 WINDOW_COLUMNS = Field.Int64.of(LAYOUT, "window_columns");
  public static final Field.Int64 BLOCK_QUERIES = Field.Int64.of(LAYOUT, "block_queries");
  public static final Field.Int64 BLOCK_KEYS = Field.Int64.of(LAYOUT, "block_keys");
  public static final Field.Int64 MODIFIER_KEY = Field.Int64.of(LAYOUT, "modifier_key");
  public static final Field.Int64 POSITION_ORIGIN = Field.Int64.of(LAYOUT, "position_origin");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 QUERY_LENGTH = Field.Int64.of(LAYOUT, "query_length");
  public static final Field.Int64 KEY_LENGTH = Field.Int64.of(LAYOUT, "key_length");
  public static final Field.Int64 QUERY_HEADS = Field.Int64.of(LAYOUT, "query_heads");
  public static final Field.Int64 KEY_HEADS = Field.Int64.of(LAYOUT, "key_heads");
  public static final Field.Int64 HEAD_DIM = Field.Int64.of(LAYOUT, "head_dim");
  public static final Field.Int64 VALUE_HEAD_DIM = Field.Int64.of(LAYOUT, "value_head_dim");
  public static final Field.Int64 RELATIVE_WIDTH = Field.Int64.of(LAYOUT, "relative_width");
  public static final Field.Int64 RELATIVE_COUNT = Field.Int64.of(LAYOUT, "relative_count");
  public static final Field.Int64 POSITION_COUNT = Field.Int64.of(LAYOUT, "position_count");
  public static final Field.Int64 BLOCK_ROWS = Field.Int64.of(LAYOUT, "block_rows");
  public static final Field.Int64 BLOCK_COUNT = Field.Int64.of(LAYOUT, "block_count");
  public static final Field.Int64 MODIFIER_WORDS = Field.Int64.of(LAYOUT, "modifier_words");
  public static final Field.Int64 MODIFIER_COLUMNS = Field.Int64.of(LAYOUT, "modifier_columns");
  public static final Field.Int64 PAGE_COUNT = Field.Int64.of(LAYOUT, "page_count");
  public static final Field.Int64 PAGE_SIZE = Field.Int64.of(LAYOUT, "page_size");
  public static final Field.Int64 PAGE_COLUMNS = Field.Int64.of(LAYOUT, "page_columns");
  public static final Field.Int64 TOP_COUNT = Field.Int64.of(LAYOUT, "top_count");
  public static final Field.Int64 QUERY_TOTAL = Field.Int64.of(LAYOUT, "query_total");
  public static final Field.Int64 KEY_TOTAL = Field.Int64.of(LAYOUT, "key_total");
  public static final Field.Int64Array QUERY_STRIDE = Field.Int64Array.of(LAYOUT, "query_stride");
  public static final Field.Int64Array KEY_STRIDE = Field.Int64Array.of(LAYOUT, "key_stride");
  public static final Field.Int64Array VALUE_STRIDE = Field.Int64Array.of(LAYOUT, "value_stride");
  public static final Field.Int64Array QUERY_SCALES_STRIDE = Field.Int64Array.of(LAYOUT,
      "query_scales_stride");
  public static final Field.Int64Array KEY_SCALES_STRIDE = Field.Int64Array.of(LAYOUT,
      "key_scales_stride");
  public static final Field.Int64Array VALUE_SCALES_STRIDE = Field.Int64Array.of(LAYOUT,
      "value_scales_stride");
  public static final Field.Int64Array BLOCK_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "block_table_stride");
  public static final Field.Int64Array TREE_MASK_STRIDE = Field.Int64Array.of(LAYOUT,
      "tree_mask_stride");
  public static final Field.Int64Array CONTENT_BIAS_STRIDE = Field.Int64Array.of(LAYOUT,
      "content_bias_stride");
  public static final Field.Int64Array POSITION_BIAS_STRIDE = Field.Int64Array.of(LAYOUT,
      "position_bias_stride");
  public static final Field.Int64Array POSITION_KEYS_STRIDE = Field.Int64Array.of(LAYOUT,
      "position_keys_stride");
  public static final Field.Int64Array BIAS_STRIDE = Field.Int64Array.of(LAYOUT, "bias_stride");
  public static final Field.Int64Array MASK_STRIDE = Field.Int64Array.of(LAYOUT, "mask_stride");
  public static final Field.Int64Array BLOCK_OFFSETS_STRIDE = Field.Int64Array.of(LAYOUT,
      "block_offsets_stride");
  public static final Field.Int64Array BLOCK_INDICES_STRIDE = Field.Int64Array.of(LAYOUT,
      "block_indices_stride");
  public static final Field.Int64Array RELATIVE_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "relative_table_stride");
  public static final Field.Int64Array MODIFIER_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "modifier_table_stride");
  public static final Field.Int64Array ALIBI_SLOPES_STRIDE = Field.Int64Array.of(LAYOUT,
      "alibi_slopes_stride");
  public static final Field.Int64Array GAUSSIAN_CENTERS_STRIDE = Field.Int64Array.of(LAYOUT,
      "gaussian_centers_stride");
  public static final Field.Int64Array SPANS_STRIDE = Field.Int64Array.of(LAYOUT, "spans_stride");
  public static final Field.Int64Array KEY_GATES_STRIDE = Field.Int64Array.of(LAYOUT,
      "key_gates_stride");
  public static final Field.Int64Array OUTPUT_GATES_STRIDE = Field.Int64Array.of(LAYOUT,
      "output_gates_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array LSE_STRIDE = Field.Int64Array.of(LAYOUT, "lse_stride");
  public static final Field.Int64Array WEIGHTS_STRIDE = Field.Int64Array.of(LAYOUT,
      "weights_stride");
  public static final Field.Int64Array TOP_WEIGHTS_STRIDE = Field.Int64Array.of(LAYOUT,
      "top_weights_stride");
  public static final Field.Int64Array TOP_KEYS_STRIDE = Field.Int64Array.of(LAYOUT,
      "top_keys_stride");
  public static final Field.Int64Array UNGATED_STRIDE = Field.Int64Array.of(LAYOUT,
      "ungated_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DQUERY_STRIDE = Field.Int64Array.of(LAYOUT, "dquery_stride");
  public static final Field.Int64Array DKEY_STRIDE = Field.Int64Array.of(LAYOUT, "dkey_stride");
  public static final Field.Int64Array DVALUE_STRIDE = Field.Int64Array.of(LAYOUT, "dvalue_stride");
  public static final Field.Int64Array DCONTENT_BIAS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dcontent_bias_stride");
  public static final Field.Int64Array DPOSITION_BIAS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dposition_bias_stride");
  public static final Field.Int64Array DPOSITION_KEYS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dposition_keys_stride");
  public static final Field.Int64Array DBIAS_STRIDE = Field.Int64Array.of(LAYOUT, "dbias_stride");
  public static final Field.Int64Array DRELATIVE_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "drelative_table_stride");
  public static final Field.Int64Array DMODIFIER_TABLE_STRIDE = Field.Int64Array.of(LAYOUT,
      "dmodifier_table_stride");
  public static final Field.Int64Array DALIBI_SLOPES_STRIDE = Field.Int64Array.of(LAYOUT,
      "dalibi_slopes_stride");
  public static final Field.Int64Array DGAUSSIAN_CENTERS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dgaussian_centers_stride");
  public static final Field.Int64Array DSPANS_STRIDE = Field.Int64Array.of(LAYOUT, "dspans_stride");
  public static final Field.Int64Array DKEY_GATES_STRIDE = Field.Int64Array.of(LAYOUT,
      "dkey_gates_stride");
  public static final Field.Int64Array DOUTPUT_GATES_STRIDE = Field.Int64Array.of(LAYOUT,
      "doutput_gates_stride");

  private FoveaAttentionSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_attention} and its backward pass. Made by ops/generate. */
public final class NativeAttention extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaAttentionSpec.BATCH, null, null);
  private static final Size QUERY_LENGTH = new Size("query_length", "Sq",
      FoveaAttentionSpec.QUERY_LENGTH, FoveaAttentionSpec.QUERY_TOTAL, "Tq");
  private static final Size KEY_LENGTH = new Size("key_length", "Sk", FoveaAttentionSpec.KEY_LENGTH,
      FoveaAttentionSpec.KEY_TOTAL, "Tk");
  private static final Size QUERY_HEADS = new Size("query_heads", "Hq",
      FoveaAttentionSpec.QUERY_HEADS, null, null);
  private static final Size KEY_HEADS = new Size("key_heads", "Hk", FoveaAttentionSpec.KEY_HEADS,
      null, null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaAttentionSpec.HEAD_DIM, null,
      null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaAttentionSpec.VALUE_HEAD_DIM, null, null);
  private static final Size RELATIVE_WIDTH = new Size("relative_width", "W",
      FoveaAttentionSpec.RELATIVE_WIDTH, null, null);
  private static final Size RELATIVE_COUNT = new Size("relative_count", "N",
      FoveaAttentionSpec.RELATIVE_COUNT, null, null);
  private static final Size BLOCK_ROWS = new Size("block_rows", "R", FoveaAttentionSpec.BLOCK_ROWS,
      null, null);
  private static final Size BLOCK_COUNT = new Size("block_count", "L",
      FoveaAttentionSpec.BLOCK_COUNT, null, null);
  private static final Size MODIFIER_WORDS = new Size("modifier_words", "P",
      FoveaAttentionSpec.MODIFIER_WORDS, null, null);
  private static final Size MODIFIER_COLUMNS = new Size("modifier_columns", "C",
      FoveaAttentionSpec.MODIFIER_COLUMNS, null, null);
  private static final Size TOP_COUNT = new Size("top_count", "K", FoveaAttentionSpec.TOP_COUNT,
      null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(27);
    static final MethodHandle BACKWARD = Handles.run(36);
  }

  public static final NativeAttention OPERATION = new NativeAttention();

  private NativeAttention() {
    super(
        "attention",
        1,
        FoveaAttentionSpec.LAYOUT,
        List.of(BATCH, QUERY_LENGTH, KEY_LENGTH, QUERY_HEADS, KEY_HEADS, HEAD_DIM, VALUE_HEAD_DIM,
            RELATIVE_WIDTH, RELATIVE_COUNT, BLOCK_ROWS, BLOCK_COUNT, MODIFIER_WORDS,
            MODIFIER_COLUMNS, TOP_COUNT),
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaAttentionSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaAttentionSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaAttentionSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("bias", Type.OWN, false, null, FoveaAttentionSpec.BIAS_DTYPE,
                FoveaAttentionSpec.BIAS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), new Dim(KEY_LENGTH, false))),
            new Operand("mask", Type.BOOL, false, null, FoveaAttentionSpec.HAS_MASK,
                FoveaAttentionSpec.MASK_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), new Dim(KEY_LENGTH, false))),
            new Operand("block_offsets", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_BLOCK_OFFSETS, FoveaAttentionSpec.BLOCK_OFFSETS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(BLOCK_ROWS,
                false))),
            new Operand("block_indices", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_BLOCK_INDICES, FoveaAttentionSpec.BLOCK_INDICES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(BLOCK_COUNT,
                false))),
            new Operand("relative_table", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_RELATIVE_TABLE, FoveaAttentionSpec.RELATIVE_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, false), new Dim(RELATIVE_COUNT, false), Dim.ONE)),
            new Operand("relative_buckets", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_RELATIVE_BUCKETS, null, List.of(new Dim(RELATIVE_WIDTH,
                false))),
            new Operand("modifier_program", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_MODIFIER_PROGRAM, null, List.of(new Dim(MODIFIER_WORDS,
                false))),
            new Operand("modifier_table", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_MODIFIER_TABLE, FoveaAttentionSpec.MODIFIER_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, true), new Dim(MODIFIER_COLUMNS, false), Dim.ONE)),
            new Operand("alibi_slopes", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_ALIBI_SLOPES, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), Dim.ONE)),
            new Operand("gaussian_centers", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_GAUSSIAN_CENTERS, FoveaAttentionSpec.GAUSSIAN_CENTERS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(QUERY_LENGTH,
                true), Dim.ONE)),
            new Operand("spans", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_SPANS,
                FoveaAttentionSpec.SPANS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), Dim.ONE)),
            new Operand("key_gates", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_KEY_GATES,
                FoveaAttentionSpec.KEY_GATES_STRIDE, List.of(new Dim(BATCH, true),
                new Dim(QUERY_HEADS, true), new Dim(KEY_LENGTH, false))),
            new Operand("output_gates", Type.OWN, false, null,
                FoveaAttentionSpec.OUTPUT_GATES_DTYPE, FoveaAttentionSpec.OUTPUT_GATES_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, true), Dim.ONE)),
            new Operand("sinks", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_SINKS, null,
                List.of(new Dim(QUERY_HEADS, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH,
                FoveaAttentionSpec.PACKED, null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaAttentionSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaAttentionSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaAttentionSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaAttentionSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_LSE,
                FoveaAttentionSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("weights", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_WEIGHTS,
                FoveaAttentionSpec.WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(KEY_LENGTH,
                false))),
            new Operand("top_weights", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_TOP_WEIGHTS,
                FoveaAttentionSpec.TOP_WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false))),
            new Operand("top_keys", Type.INT32, true, null, FoveaAttentionSpec.HAS_TOP_KEYS,
                FoveaAttentionSpec.TOP_KEYS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false))),
            new Operand("ungated", Type.OUT, true, null, FoveaAttentionSpec.HAS_UNGATED,
                FoveaAttentionSpec.UNGATED_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS, false), new Dim(VALUE_HEAD_DIM,
                false)))
        ),
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaAttentionSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaAttentionSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaAttentionSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("bias", Type.OWN, false, null, FoveaAttentionSpec.BIAS_DTYPE,
                FoveaAttentionSpec.BIAS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), new Dim(KEY_LENGTH, false))),
            new Operand("mask", Type.BOOL, false, null, FoveaAttentionSpec.HAS_MASK,
                FoveaAttentionSpec.MASK_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), new Dim(KEY_LENGTH, false))),
            new Operand("block_offsets", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_BLOCK_OFFSETS, FoveaAttentionSpec.BLOCK_OFFSETS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(BLOCK_ROWS,
                false))),
            new Operand("block_indices", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_BLOCK_INDICES, FoveaAttentionSpec.BLOCK_INDICES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(BLOCK_COUNT,
                false))),
            new Operand("relative_table", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_RELATIVE_TABLE, FoveaAttentionSpec.RELATIVE_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, false), new Dim(RELATIVE_COUNT, false), Dim.ONE)),
            new Operand("relative_buckets", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_RELATIVE_BUCKETS, null, List.of(new Dim(RELATIVE_WIDTH,
                false))),
            new Operand("modifier_program", Type.INT32, false, null,
                FoveaAttentionSpec.HAS_MODIFIER_PROGRAM, null, List.of(new Dim(MODIFIER_WORDS,
                false))),
            new Operand("modifier_table", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_MODIFIER_TABLE, FoveaAttentionSpec.MODIFIER_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, true), new Dim(MODIFIER_COLUMNS, false), Dim.ONE)),
            new Operand("alibi_slopes", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_ALIBI_SLOPES, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), Dim.ONE)),
            new Operand("gaussian_centers", Type.FLOAT32, false, null,
                FoveaAttentionSpec.HAS_GAUSSIAN_CENTERS, FoveaAttentionSpec.GAUSSIAN_CENTERS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), new Dim(QUERY_LENGTH,
                true), Dim.ONE)),
            new Operand("spans", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_SPANS,
                FoveaAttentionSpec.SPANS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), Dim.ONE)),
            new Operand("key_gates", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_KEY_GATES,
                FoveaAttentionSpec.KEY_GATES_STRIDE, List.of(new Dim(BATCH, true),
                new Dim(QUERY_HEADS, true), new Dim(KEY_LENGTH, false))),
            new Operand("output_gates", Type.OWN, false, null,
                FoveaAttentionSpec.OUTPUT_GATES_DTYPE, FoveaAttentionSpec.OUTPUT_GATES_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, true), Dim.ONE)),
            new Operand("sinks", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_SINKS, null,
                List.of(new Dim(QUERY_HEADS, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH,
                FoveaAttentionSpec.PACKED, null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaAttentionSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaAttentionSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaAttentionSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaAttentionSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("out", Type.OUT, false, null, null, FoveaAttentionSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, false, null, FoveaAttentionSpec.HAS_LSE,
                FoveaAttentionSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("dquery", Type.GRADIENT, true, null, null, FoveaAttentionSpec.DQUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dkey", Type.GRADIENT, true, null, null, FoveaAttentionSpec.DKEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dvalue", Type.GRADIENT, true, null, null, FoveaAttentionSpec.DVALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("dbias", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_DBIAS,
                FoveaAttentionSpec.DBIAS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), new Dim(KEY_LENGTH, false))),
            new Operand("drelative_table", Type.FLOAT32, true, null,
                FoveaAttentionSpec.HAS_DRELATIVE_TABLE, FoveaAttentionSpec.DRELATIVE_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, false), new Dim(RELATIVE_COUNT, false), Dim.ONE)),
            new Operand("dmodifier_table", Type.FLOAT32, true, null,
                FoveaAttentionSpec.HAS_DMODIFIER_TABLE, FoveaAttentionSpec.DMODIFIER_TABLE_STRIDE,
                List.of(new Dim(QUERY_HEADS, true), new Dim(MODIFIER_COLUMNS, false), Dim.ONE)),
            new Operand("dalibi_slopes", Type.FLOAT32, true, null,
                FoveaAttentionSpec.HAS_DALIBI_SLOPES, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS, true), Dim.ONE)),
            new Operand("dgaussian_centers", Type.FLOAT32, true, null,
                FoveaAttentionSpec.HAS_DGAUSSIAN_CENTERS,
                FoveaAttentionSpec.DGAUSSIAN_CENTERS_STRIDE, List.of(new Dim(BATCH, true),
                new Dim(QUERY_HEADS, true), new Dim(QUERY_LENGTH, true), Dim.ONE)),
            new Operand("dspans", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_DSPANS,
                FoveaAttentionSpec.DSPANS_STRIDE, List.of(new Dim(BATCH, true), new Dim(QUERY_HEADS,
                true), new Dim(QUERY_LENGTH, true), Dim.ONE)),
            new Operand("dkey_gates", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_DKEY_GATES,
                FoveaAttentionSpec.DKEY_GATES_STRIDE, List.of(new Dim(BATCH, true),
                new Dim(QUERY_HEADS, true), new Dim(KEY_LENGTH, false))),
            new Operand("doutput_gates", Type.FLOAT32, true, null,
                FoveaAttentionSpec.HAS_DOUTPUT_GATES, FoveaAttentionSpec.DOUTPUT_GATES_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, true), Dim.ONE)),
            new Operand("dsinks", Type.FLOAT32, true, null, FoveaAttentionSpec.HAS_DSINKS, null,
                List.of(new Dim(QUERY_HEADS, false)))
        ));
  }

  @Override
  int forward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] o,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable {
    return (int) Runs.FORWARD.invokeExact(function, plan, call, o[0], o[1], o[2], o[3], o[4], o[5],
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15], o[16], o[17], o[18],
        o[19], o[20], o[21], o[22], o[23], o[24], o[25], o[26], workspace, scratch, stream);
  }

  @Override
  int backward(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] o,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable {
    return (int) Runs.BACKWARD.invokeExact(function, plan, call, o[0], o[1], o[2], o[3], o[4], o[5],
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15], o[16], o[17], o[18],
        o[19], o[20], o[21], o[22], o[23], o[24], o[25], o[26], o[27], o[28], o[29], o[30], o[31],
        o[32], o[33], o[34], o[35], workspace, scratch, stream);
  }
}

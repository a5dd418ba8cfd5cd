package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_additive} and its backward pass. Made by ops/generate. */
public final class NativeAdditive extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaAdditiveSpec.BATCH, null, null);
  private static final Size QUERY_LENGTH = new Size("query_length", "Sq",
      FoveaAdditiveSpec.QUERY_LENGTH, FoveaAdditiveSpec.QUERY_TOTAL, "Tq");
  private static final Size KEY_LENGTH = new Size("key_length", "Sk", FoveaAdditiveSpec.KEY_LENGTH,
      FoveaAdditiveSpec.KEY_TOTAL, "Tk");
  private static final Size QUERY_HEADS = new Size("query_heads", "Hq",
      FoveaAdditiveSpec.QUERY_HEADS, null, null);
  private static final Size KEY_HEADS = new Size("key_heads", "Hk", FoveaAdditiveSpec.KEY_HEADS,
      null, null);
  private static final Size HEAD_DIM = new Size("head_dim", "A", FoveaAdditiveSpec.HEAD_DIM, null,
      null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaAdditiveSpec.VALUE_HEAD_DIM, null, null);
  private static final Size TOP_COUNT = new Size("top_count", "K", FoveaAdditiveSpec.TOP_COUNT,
      null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(14);
    static final MethodHandle BACKWARD = Handles.run(17);
  }

  public static final NativeAdditive OPERATION = new NativeAdditive();

  private NativeAdditive() {
    super(
        "additive",
        2,
        FoveaAdditiveSpec.LAYOUT,
        List.of(BATCH, QUERY_LENGTH, KEY_LENGTH, QUERY_HEADS, KEY_HEADS, HEAD_DIM, VALUE_HEAD_DIM,
            TOP_COUNT),
        null,
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaAdditiveSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaAdditiveSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaAdditiveSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("weight", Type.FLOAT32, false, null, null, FoveaAdditiveSpec.WEIGHT_STRIDE,
                List.of(new Dim(QUERY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaAdditiveSpec.HAS_BIAS,
                FoveaAdditiveSpec.BIAS_STRIDE, List.of(new Dim(QUERY_HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaAdditiveSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaAdditiveSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaAdditiveSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaAdditiveSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaAdditiveSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, true, null, FoveaAdditiveSpec.HAS_LSE,
                FoveaAdditiveSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("weights", Type.FLOAT32, true, null, FoveaAdditiveSpec.HAS_WEIGHTS,
                FoveaAdditiveSpec.WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(KEY_LENGTH,
                false))),
            new Operand("top_weights", Type.FLOAT32, true, null, FoveaAdditiveSpec.HAS_TOP_WEIGHTS,
                FoveaAdditiveSpec.TOP_WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false))),
            new Operand("top_keys", Type.INT32, true, null, FoveaAdditiveSpec.HAS_TOP_KEYS,
                FoveaAdditiveSpec.TOP_KEYS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false)))
        ),
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaAdditiveSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaAdditiveSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaAdditiveSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("weight", Type.FLOAT32, false, null, null, FoveaAdditiveSpec.WEIGHT_STRIDE,
                List.of(new Dim(QUERY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaAdditiveSpec.HAS_BIAS,
                FoveaAdditiveSpec.BIAS_STRIDE, List.of(new Dim(QUERY_HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaAdditiveSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaAdditiveSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaAdditiveSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaAdditiveSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaAdditiveSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("out", Type.OUT, false, null, null, FoveaAdditiveSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, false, null, FoveaAdditiveSpec.HAS_LSE,
                FoveaAdditiveSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("dquery", Type.GRADIENT, true, null, null, FoveaAdditiveSpec.DQUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dkey", Type.GRADIENT, true, null, null, FoveaAdditiveSpec.DKEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dvalue", Type.GRADIENT, true, null, null, FoveaAdditiveSpec.DVALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("dweight", Type.FLOAT32, true, null, FoveaAdditiveSpec.HAS_DWEIGHT,
                FoveaAdditiveSpec.DWEIGHT_STRIDE, List.of(new Dim(QUERY_HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("dbias", Type.FLOAT32, true, null, FoveaAdditiveSpec.HAS_DBIAS,
                FoveaAdditiveSpec.DBIAS_STRIDE, List.of(new Dim(QUERY_HEADS, false),
                new Dim(HEAD_DIM, false)))
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], workspace, scratch, stream);
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15], o[16], workspace, scratch,
        stream);
  }
}

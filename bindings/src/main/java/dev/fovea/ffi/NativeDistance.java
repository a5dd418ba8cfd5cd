package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_distance} and its backward pass. Made by ops/generate. */
public final class NativeDistance extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaDistanceSpec.BATCH, null, null);
  private static final Size QUERY_LENGTH = new Size("query_length", "Sq",
      FoveaDistanceSpec.QUERY_LENGTH, FoveaDistanceSpec.QUERY_TOTAL, "Tq");
  private static final Size KEY_LENGTH = new Size("key_length", "Sk", FoveaDistanceSpec.KEY_LENGTH,
      FoveaDistanceSpec.KEY_TOTAL, "Tk");
  private static final Size QUERY_HEADS = new Size("query_heads", "Hq",
      FoveaDistanceSpec.QUERY_HEADS, null, null);
  private static final Size KEY_HEADS = new Size("key_heads", "Hk", FoveaDistanceSpec.KEY_HEADS,
      null, null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaDistanceSpec.HEAD_DIM, null,
      null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaDistanceSpec.VALUE_HEAD_DIM, null, null);
  private static final Size TOP_COUNT = new Size("top_count", "K", FoveaDistanceSpec.TOP_COUNT,
      null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(13);
    static final MethodHandle BACKWARD = Handles.run(15);
  }

  public static final NativeDistance OPERATION = new NativeDistance();

  private NativeDistance() {
    super(
        "distance",
        6,
        FoveaDistanceSpec.LAYOUT,
        List.of(BATCH, QUERY_LENGTH, KEY_LENGTH, QUERY_HEADS, KEY_HEADS, HEAD_DIM, VALUE_HEAD_DIM,
            TOP_COUNT),
        null,
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaDistanceSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaDistanceSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaDistanceSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("bandwidth", Type.FLOAT32, false, null, null, null,
                List.of(new Dim(QUERY_HEADS, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaDistanceSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaDistanceSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaDistanceSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaDistanceSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaDistanceSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, true, null, FoveaDistanceSpec.HAS_LSE,
                FoveaDistanceSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("weights", Type.FLOAT32, true, null, FoveaDistanceSpec.HAS_WEIGHTS,
                FoveaDistanceSpec.WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(KEY_LENGTH,
                false))),
            new Operand("top_weights", Type.FLOAT32, true, null, FoveaDistanceSpec.HAS_TOP_WEIGHTS,
                FoveaDistanceSpec.TOP_WEIGHTS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false))),
            new Operand("top_keys", Type.INT32, true, null, FoveaDistanceSpec.HAS_TOP_KEYS,
                FoveaDistanceSpec.TOP_KEYS_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(QUERY_HEADS, false), new Dim(QUERY_LENGTH, false), new Dim(TOP_COUNT,
                false)))
        ),
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaDistanceSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaDistanceSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaDistanceSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("bandwidth", Type.FLOAT32, false, null, null, null,
                List.of(new Dim(QUERY_HEADS, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaDistanceSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaDistanceSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaDistanceSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaDistanceSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaDistanceSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("out", Type.OUT, false, null, null, FoveaDistanceSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, false, null, FoveaDistanceSpec.HAS_LSE,
                FoveaDistanceSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false))),
            new Operand("dquery", Type.GRADIENT, true, null, null, FoveaDistanceSpec.DQUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dkey", Type.GRADIENT, true, null, null, FoveaDistanceSpec.DKEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dvalue", Type.GRADIENT, true, null, null, FoveaDistanceSpec.DVALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("dbandwidth", Type.FLOAT32, true, null, FoveaDistanceSpec.HAS_DBANDWIDTH,
                null, List.of(new Dim(QUERY_HEADS, false)))
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], workspace, scratch, stream);
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], workspace, scratch, stream);
  }
}

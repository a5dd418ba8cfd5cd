package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_linear} and its backward pass. Made by ops/generate. */
public final class NativeLinear extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaLinearSpec.BATCH, null, null);
  private static final Size QUERY_LENGTH = new Size("query_length", "Sq",
      FoveaLinearSpec.QUERY_LENGTH, FoveaLinearSpec.QUERY_TOTAL, "Tq");
  private static final Size KEY_LENGTH = new Size("key_length", "Sk", FoveaLinearSpec.KEY_LENGTH,
      FoveaLinearSpec.KEY_TOTAL, "Tk");
  private static final Size QUERY_HEADS = new Size("query_heads", "Hq", FoveaLinearSpec.QUERY_HEADS,
      null, null);
  private static final Size KEY_HEADS = new Size("key_heads", "Hk", FoveaLinearSpec.KEY_HEADS, null,
      null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaLinearSpec.HEAD_DIM, null,
      null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaLinearSpec.VALUE_HEAD_DIM, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(15);
    static final MethodHandle BACKWARD = Handles.run(22);
  }

  public static final NativeLinear OPERATION = new NativeLinear();

  private NativeLinear() {
    super(
        "linear",
        3,
        FoveaLinearSpec.LAYOUT,
        List.of(BATCH, QUERY_LENGTH, KEY_LENGTH, QUERY_HEADS, KEY_HEADS, HEAD_DIM, VALUE_HEAD_DIM),
        null,
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaLinearSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaLinearSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaLinearSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("decay", Type.OWN, false, null, FoveaLinearSpec.DECAY_DTYPE,
                FoveaLinearSpec.DECAY_STRIDE, List.of(new Dim(BATCH, true), new Dim(KEY_LENGTH,
                true), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("key_decay", Type.OWN, false, null, FoveaLinearSpec.KEY_DECAY_DTYPE,
                FoveaLinearSpec.KEY_DECAY_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH,
                false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("beta", Type.OWN, false, null, FoveaLinearSpec.BETA_DTYPE,
                FoveaLinearSpec.BETA_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH,
                false), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("initial_state", Type.FLOAT32, false, null,
                FoveaLinearSpec.HAS_INITIAL_STATE, FoveaLinearSpec.INITIAL_STATE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false),
                new Dim(VALUE_HEAD_DIM, false))),
            new Operand("initial_sum", Type.FLOAT32, false, null, FoveaLinearSpec.HAS_INITIAL_SUM,
                FoveaLinearSpec.INITIAL_SUM_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaLinearSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaLinearSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaLinearSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaLinearSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaLinearSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("final_state", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_FINAL_STATE,
                FoveaLinearSpec.FINAL_STATE_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false), new Dim(VALUE_HEAD_DIM,
                false))),
            new Operand("final_sum", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_FINAL_SUM,
                FoveaLinearSpec.FINAL_SUM_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false)))
        ),
        List.of(
            new Operand("query", Type.SPEC, false, null, null, FoveaLinearSpec.QUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("key", Type.SPEC, false, null, null, FoveaLinearSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, null, FoveaLinearSpec.VALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("decay", Type.OWN, false, null, FoveaLinearSpec.DECAY_DTYPE,
                FoveaLinearSpec.DECAY_STRIDE, List.of(new Dim(BATCH, true), new Dim(KEY_LENGTH,
                true), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("key_decay", Type.OWN, false, null, FoveaLinearSpec.KEY_DECAY_DTYPE,
                FoveaLinearSpec.KEY_DECAY_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH,
                false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("beta", Type.OWN, false, null, FoveaLinearSpec.BETA_DTYPE,
                FoveaLinearSpec.BETA_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH,
                false), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("initial_state", Type.FLOAT32, false, null,
                FoveaLinearSpec.HAS_INITIAL_STATE, FoveaLinearSpec.INITIAL_STATE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false),
                new Dim(VALUE_HEAD_DIM, false))),
            new Operand("initial_sum", Type.FLOAT32, false, null, FoveaLinearSpec.HAS_INITIAL_SUM,
                FoveaLinearSpec.INITIAL_SUM_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("cu_seqlens_q", Type.OFFSETS, false, QUERY_LENGTH, FoveaLinearSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens_k", Type.OFFSETS, false, KEY_LENGTH, FoveaLinearSpec.PACKED,
                null, List.of(new Dim(BATCH, false))),
            new Operand("query_lengths", Type.INT32, false, QUERY_LENGTH,
                FoveaLinearSpec.HAS_QUERY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("key_lengths", Type.INT32, false, KEY_LENGTH,
                FoveaLinearSpec.HAS_KEY_LENGTHS, null, List.of(new Dim(BATCH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaLinearSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("out", Type.OUT, false, null, null, FoveaLinearSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("dquery", Type.GRADIENT, true, null, null, FoveaLinearSpec.DQUERY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dkey", Type.GRADIENT, true, null, null, FoveaLinearSpec.DKEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false))),
            new Operand("dvalue", Type.GRADIENT, true, null, null, FoveaLinearSpec.DVALUE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("ddecay", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_DDECAY,
                FoveaLinearSpec.DDECAY_STRIDE, List.of(new Dim(BATCH, true), new Dim(KEY_LENGTH,
                true), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("dkey_decay", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_DKEY_DECAY,
                FoveaLinearSpec.DKEY_DECAY_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(KEY_LENGTH, false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false))),
            new Operand("dbeta", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_DBETA,
                FoveaLinearSpec.DBETA_STRIDE, List.of(new Dim(BATCH, false), new Dim(KEY_LENGTH,
                false), new Dim(KEY_HEADS, false), Dim.ONE)),
            new Operand("dinitial_state", Type.FLOAT32, true, null,
                FoveaLinearSpec.HAS_DINITIAL_STATE, FoveaLinearSpec.DINITIAL_STATE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false),
                new Dim(VALUE_HEAD_DIM, false))),
            new Operand("dinitial_sum", Type.FLOAT32, true, null, FoveaLinearSpec.HAS_DINITIAL_SUM,
                FoveaLinearSpec.DINITIAL_SUM_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(KEY_HEADS, false), new Dim(HEAD_DIM, false)))
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], workspace, scratch, stream);
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
        o[19], o[20], o[21], workspace, scratch, stream);
  }
}

package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_rotary} and its backward pass. Made by ops/generate. */
public final class NativeRotary extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaRotarySpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaRotarySpec.LENGTH, null, null);
  private static final Size HEADS = new Size("heads", "H", FoveaRotarySpec.HEADS, null, null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaRotarySpec.HEAD_DIM, null,
      null);
  private static final Size PAIRS = new Size("pairs", "C", FoveaRotarySpec.PAIRS, null, null);
  private static final Size POSITION_COUNT = new Size("position_count", "P",
      FoveaRotarySpec.POSITION_COUNT, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(5);
    static final MethodHandle BACKWARD = Handles.run(6);
  }

  public static final NativeRotary OPERATION = new NativeRotary();

  private NativeRotary() {
    super(
        "rotary",
        8,
        FoveaRotarySpec.LAYOUT,
        List.of(BATCH, LENGTH, HEADS, HEAD_DIM, PAIRS, POSITION_COUNT),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaRotarySpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("cosines", Type.FLOAT32, false, null, null, FoveaRotarySpec.COSINES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(POSITION_COUNT, false), new Dim(PAIRS,
                false))),
            new Operand("sines", Type.FLOAT32, false, null, null, FoveaRotarySpec.SINES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(POSITION_COUNT, false), new Dim(PAIRS,
                false))),
            new Operand("positions", Type.INT32, false, null, FoveaRotarySpec.HAS_POSITIONS,
                FoveaRotarySpec.POSITIONS_STRIDE, List.of(new Dim(BATCH, true), new Dim(LENGTH,
                false))),
            new Operand("out", Type.OUT, true, null, null, FoveaRotarySpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false)))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaRotarySpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("cosines", Type.FLOAT32, false, null, null, FoveaRotarySpec.COSINES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(POSITION_COUNT, false), new Dim(PAIRS,
                false))),
            new Operand("sines", Type.FLOAT32, false, null, null, FoveaRotarySpec.SINES_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(POSITION_COUNT, false), new Dim(PAIRS,
                false))),
            new Operand("positions", Type.INT32, false, null, FoveaRotarySpec.HAS_POSITIONS,
                FoveaRotarySpec.POSITIONS_STRIDE, List.of(new Dim(BATCH, true), new Dim(LENGTH,
                false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaRotarySpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("dx", Type.GRADIENT, true, null, null, FoveaRotarySpec.DX_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
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
    return (int) Runs.FORWARD.invokeExact(function, plan, call, o[0], o[1], o[2], o[3], o[4],
        workspace, scratch, stream);
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
        workspace, scratch, stream);
  }
}

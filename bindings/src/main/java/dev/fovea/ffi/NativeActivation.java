package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_activation} and its backward pass. Made by ops/generate. */
public final class NativeActivation extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaActivationSpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaActivationSpec.LENGTH, null,
      null);
  private static final Size WIDTH = new Size("width", "D", FoveaActivationSpec.WIDTH, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(5);
    static final MethodHandle BACKWARD = Handles.run(9);
  }

  public static final NativeActivation OPERATION = new NativeActivation();

  private NativeActivation() {
    super(
        "activation",
        10,
        FoveaActivationSpec.LAYOUT,
        List.of(BATCH, LENGTH, WIDTH),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaActivationSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaActivationSpec.HAS_BIAS, null,
                List.of(new Dim(WIDTH, false))),
            new Operand("gate", Type.SPEC, false, null, FoveaActivationSpec.HAS_GATE,
                FoveaActivationSpec.GATE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("residual", Type.SPEC, false, null, FoveaActivationSpec.HAS_RESIDUAL,
                FoveaActivationSpec.RESIDUAL_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaActivationSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false)))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaActivationSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaActivationSpec.HAS_BIAS, null,
                List.of(new Dim(WIDTH, false))),
            new Operand("gate", Type.SPEC, false, null, FoveaActivationSpec.HAS_GATE,
                FoveaActivationSpec.GATE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("residual", Type.SPEC, false, null, FoveaActivationSpec.HAS_RESIDUAL,
                FoveaActivationSpec.RESIDUAL_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaActivationSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false))),
            new Operand("dx", Type.GRADIENT, true, null, FoveaActivationSpec.HAS_DX,
                FoveaActivationSpec.DX_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("dbias", Type.FLOAT32, true, null, FoveaActivationSpec.HAS_DBIAS, null,
                List.of(new Dim(WIDTH, false))),
            new Operand("dgate", Type.GRADIENT, true, null, FoveaActivationSpec.HAS_DGATE,
                FoveaActivationSpec.DGATE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false))),
            new Operand("dresidual", Type.GRADIENT, true, null, FoveaActivationSpec.HAS_DRESIDUAL,
                FoveaActivationSpec.DRESIDUAL_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(WIDTH, false)))
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
        o[6], o[7], o[8], workspace, scratch, stream);
  }
}

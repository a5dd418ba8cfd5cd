package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_norm} and its backward pass. Made by ops/generate. */
public final class NativeNorm extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaNormSpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaNormSpec.LENGTH, null, null);
  private static final Size HEADS = new Size("heads", "H", FoveaNormSpec.HEADS, null, null);
  private static final Size WIDTH = new Size("width", "D", FoveaNormSpec.WIDTH, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(6);
    static final MethodHandle BACKWARD = Handles.run(7);
  }

  public static final NativeNorm OPERATION = new NativeNorm();

  private NativeNorm() {
    super(
        "norm",
        9,
        FoveaNormSpec.LAYOUT,
        List.of(BATCH, LENGTH, HEADS, WIDTH),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaNormSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(WIDTH, false))),
            new Operand("weight", Type.FLOAT32, false, null, FoveaNormSpec.HAS_WEIGHT,
                FoveaNormSpec.WEIGHT_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaNormSpec.HAS_BIAS,
                FoveaNormSpec.BIAS_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaNormSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(WIDTH, false))),
            new Operand("mean", Type.FLOAT32, true, null, FoveaNormSpec.HAS_MEAN,
                FoveaNormSpec.MEAN_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH, false),
                new Dim(HEADS, false))),
            new Operand("inverse", Type.FLOAT32, true, null, FoveaNormSpec.HAS_INVERSE,
                FoveaNormSpec.INVERSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH, false),
                new Dim(HEADS, false)))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaNormSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(WIDTH, false))),
            new Operand("weight", Type.FLOAT32, false, null, FoveaNormSpec.HAS_WEIGHT,
                FoveaNormSpec.WEIGHT_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaNormSpec.HAS_BIAS,
                FoveaNormSpec.BIAS_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaNormSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(WIDTH, false))),
            new Operand("dx", Type.GRADIENT, true, null, null, FoveaNormSpec.DX_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(WIDTH, false))),
            new Operand("dweight", Type.FLOAT32, true, null, FoveaNormSpec.HAS_DWEIGHT,
                FoveaNormSpec.DWEIGHT_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false))),
            new Operand("dbias", Type.FLOAT32, true, null, FoveaNormSpec.HAS_DBIAS,
                FoveaNormSpec.DBIAS_STRIDE, List.of(new Dim(HEADS, true), new Dim(WIDTH, false)))
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
        o[6], workspace, scratch, stream);
  }
}

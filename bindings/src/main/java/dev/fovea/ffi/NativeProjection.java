package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_projection} and its backward pass. Made by ops/generate. */
public final class NativeProjection extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaProjectionSpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaProjectionSpec.LENGTH, null,
      null);
  private static final Size RANK = new Size("rank", "R", FoveaProjectionSpec.RANK, null, null);
  private static final Size HEADS = new Size("heads", "H", FoveaProjectionSpec.HEADS, null, null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaProjectionSpec.HEAD_DIM, null,
      null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(4);
    static final MethodHandle BACKWARD = Handles.run(6);
  }

  public static final NativeProjection OPERATION = new NativeProjection();

  private NativeProjection() {
    super(
        "projection",
        7,
        FoveaProjectionSpec.LAYOUT,
        List.of(BATCH, LENGTH, RANK, HEADS, HEAD_DIM),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaProjectionSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("weight", Type.SPEC, false, null, null, FoveaProjectionSpec.WEIGHT_STRIDE,
                List.of(new Dim(HEADS, true), new Dim(RANK, false), new Dim(LENGTH, false))),
            new Operand("lengths", Type.INT32, false, LENGTH, FoveaProjectionSpec.HAS_LENGTHS, null,
                List.of(new Dim(BATCH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaProjectionSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(RANK, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false)))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaProjectionSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("weight", Type.SPEC, false, null, null, FoveaProjectionSpec.WEIGHT_STRIDE,
                List.of(new Dim(HEADS, true), new Dim(RANK, false), new Dim(LENGTH, false))),
            new Operand("lengths", Type.INT32, false, LENGTH, FoveaProjectionSpec.HAS_LENGTHS, null,
                List.of(new Dim(BATCH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaProjectionSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(RANK, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("dx", Type.GRADIENT, true, null, null, FoveaProjectionSpec.DX_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("dweight", Type.FLOAT32, true, null, FoveaProjectionSpec.HAS_DWEIGHT,
                FoveaProjectionSpec.DWEIGHT_STRIDE, List.of(new Dim(HEADS, true), new Dim(RANK,
                false), new Dim(LENGTH, false)))
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
    return (int) Runs.FORWARD.invokeExact(function, plan, call, o[0], o[1], o[2], o[3], workspace,
        scratch, stream);
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

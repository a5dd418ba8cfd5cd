package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_spatial} and its backward pass. Made by ops/generate. */
public final class NativeSpatial extends NativeOperation {
  private static final Size BATCH = new Size("batch", "N", FoveaSpatialSpec.BATCH, null, null);
  private static final Size CHANNELS = new Size("channels", "C", FoveaSpatialSpec.CHANNELS, null,
      null);
  private static final Size HEIGHT = new Size("height", "H", FoveaSpatialSpec.HEIGHT, null, null);
  private static final Size WIDTH = new Size("width", "W", FoveaSpatialSpec.WIDTH, null, null);
  private static final Size MAPS = new Size("maps", "M", FoveaSpatialSpec.MAPS, null, null);
  private static final Size KERNEL_SIZE = new Size("kernel_size", "K", FoveaSpatialSpec.KERNEL_SIZE,
      null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(4);
    static final MethodHandle BACKWARD = Handles.run(7);
  }

  public static final NativeSpatial OPERATION = new NativeSpatial();

  private NativeSpatial() {
    super(
        "spatial",
        5,
        FoveaSpatialSpec.LAYOUT,
        List.of(BATCH, CHANNELS, HEIGHT, WIDTH, MAPS, KERNEL_SIZE),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaSpatialSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("weight", Type.FLOAT32, false, null, null, FoveaSpatialSpec.WEIGHT_STRIDE,
                List.of(new Dim(MAPS, false), new Dim(KERNEL_SIZE, false), new Dim(KERNEL_SIZE,
                false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaSpatialSpec.HAS_BIAS, null,
                List.of(Dim.ONE)),
            new Operand("out", Type.OUT, true, null, null, FoveaSpatialSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaSpatialSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("weight", Type.FLOAT32, false, null, null, FoveaSpatialSpec.WEIGHT_STRIDE,
                List.of(new Dim(MAPS, false), new Dim(KERNEL_SIZE, false), new Dim(KERNEL_SIZE,
                false))),
            new Operand("bias", Type.FLOAT32, false, null, FoveaSpatialSpec.HAS_BIAS, null,
                List.of(Dim.ONE)),
            new Operand("dout", Type.OUT, false, null, null, FoveaSpatialSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("dx", Type.GRADIENT, true, null, null, FoveaSpatialSpec.DX_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("dweight", Type.FLOAT32, true, null, FoveaSpatialSpec.HAS_DWEIGHT,
                FoveaSpatialSpec.DWEIGHT_STRIDE, List.of(new Dim(MAPS, false), new Dim(KERNEL_SIZE,
                false), new Dim(KERNEL_SIZE, false))),
            new Operand("dbias", Type.FLOAT32, true, null, FoveaSpatialSpec.HAS_DBIAS, null,
                List.of(Dim.ONE))
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
        o[6], workspace, scratch, stream);
  }
}

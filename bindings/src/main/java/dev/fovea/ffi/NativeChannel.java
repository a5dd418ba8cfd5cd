package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_channel} and its backward pass. Made by ops/generate. */
public final class NativeChannel extends NativeOperation {
  private static final Size BATCH = new Size("batch", "N", FoveaChannelSpec.BATCH, null, null);
  private static final Size CHANNELS = new Size("channels", "C", FoveaChannelSpec.CHANNELS, null,
      null);
  private static final Size HEIGHT = new Size("height", "H", FoveaChannelSpec.HEIGHT, null, null);
  private static final Size WIDTH = new Size("width", "W", FoveaChannelSpec.WIDTH, null, null);
  private static final Size HIDDEN = new Size("hidden", "R", FoveaChannelSpec.HIDDEN, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(6);
    static final MethodHandle BACKWARD = Handles.run(11);
  }

  public static final NativeChannel OPERATION = new NativeChannel();

  private NativeChannel() {
    super(
        "channel",
        4,
        FoveaChannelSpec.LAYOUT,
        List.of(BATCH, CHANNELS, HEIGHT, WIDTH, HIDDEN),
        null,
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaChannelSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("weight1", Type.FLOAT32, false, null, null, FoveaChannelSpec.WEIGHT1_STRIDE,
                List.of(new Dim(HIDDEN, false), new Dim(CHANNELS, false))),
            new Operand("bias1", Type.FLOAT32, false, null, FoveaChannelSpec.HAS_BIAS1, null,
                List.of(new Dim(HIDDEN, false))),
            new Operand("weight2", Type.FLOAT32, false, null, null, FoveaChannelSpec.WEIGHT2_STRIDE,
                List.of(new Dim(CHANNELS, false), new Dim(HIDDEN, false))),
            new Operand("bias2", Type.FLOAT32, false, null, FoveaChannelSpec.HAS_BIAS2, null,
                List.of(new Dim(CHANNELS, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaChannelSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE))
        ),
        List.of(
            new Operand("x", Type.SPEC, false, null, null, FoveaChannelSpec.X_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("weight1", Type.FLOAT32, false, null, null, FoveaChannelSpec.WEIGHT1_STRIDE,
                List.of(new Dim(HIDDEN, false), new Dim(CHANNELS, false))),
            new Operand("bias1", Type.FLOAT32, false, null, FoveaChannelSpec.HAS_BIAS1, null,
                List.of(new Dim(HIDDEN, false))),
            new Operand("weight2", Type.FLOAT32, false, null, null, FoveaChannelSpec.WEIGHT2_STRIDE,
                List.of(new Dim(CHANNELS, false), new Dim(HIDDEN, false))),
            new Operand("bias2", Type.FLOAT32, false, null, FoveaChannelSpec.HAS_BIAS2, null,
                List.of(new Dim(CHANNELS, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaChannelSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("dx", Type.GRADIENT, true, null, null, FoveaChannelSpec.DX_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CHANNELS, false), new Dim(HEIGHT, false),
                new Dim(WIDTH, false), Dim.ONE)),
            new Operand("dweight1", Type.FLOAT32, true, null, FoveaChannelSpec.HAS_DWEIGHT1,
                FoveaChannelSpec.DWEIGHT1_STRIDE, List.of(new Dim(HIDDEN, false), new Dim(CHANNELS,
                false))),
            new Operand("dbias1", Type.FLOAT32, true, null, FoveaChannelSpec.HAS_DBIAS1, null,
                List.of(new Dim(HIDDEN, false))),
            new Operand("dweight2", Type.FLOAT32, true, null, FoveaChannelSpec.HAS_DWEIGHT2,
                FoveaChannelSpec.DWEIGHT2_STRIDE, List.of(new Dim(CHANNELS, false), new Dim(HIDDEN,
                false))),
            new Operand("dbias2", Type.FLOAT32, true, null, FoveaChannelSpec.HAS_DBIAS2, null,
                List.of(new Dim(CHANNELS, false)))
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
        o[6], o[7], o[8], o[9], o[10], workspace, scratch, stream);
  }
}

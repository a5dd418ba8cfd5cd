package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_optimizer}. Made by ops/generate. */
public final class NativeOptimizer extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaOptimizerSpec.BATCH, null, null);
  private static final Size COUNT = new Size("count", "N", FoveaOptimizerSpec.COUNT, null, null);
  private static final Size RATE_COUNT = new Size("rate_count", "R", FoveaOptimizerSpec.RATE_COUNT,
      null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(6);
  }

  public static final NativeOptimizer OPERATION = new NativeOptimizer();

  private NativeOptimizer() {
    super(
        "optimizer",
        13,
        FoveaOptimizerSpec.LAYOUT,
        List.of(BATCH, COUNT, RATE_COUNT),
        null,
        List.of(
            new Operand("gradient", Type.SPEC, false, null, null,
                FoveaOptimizerSpec.GRADIENT_STRIDE, List.of(new Dim(BATCH, false), new Dim(COUNT,
                false))),
            new Operand("rates", Type.FLOAT32, false, null, null, null, List.of(new Dim(RATE_COUNT,
                false))),
            new Operand("parameter", Type.FLOAT32, true, null, null,
                FoveaOptimizerSpec.PARAMETER_STRIDE, List.of(new Dim(BATCH, false), new Dim(COUNT,
                false)), true, false),
            new Operand("mean", Type.FLOAT32, true, null, FoveaOptimizerSpec.HAS_MEAN,
                FoveaOptimizerSpec.MEAN_STRIDE, List.of(new Dim(BATCH, false), new Dim(COUNT,
                false)), true, false),
            new Operand("square", Type.FLOAT32, true, null, FoveaOptimizerSpec.HAS_SQUARE,
                FoveaOptimizerSpec.SQUARE_STRIDE, List.of(new Dim(BATCH, false), new Dim(COUNT,
                false)), true, false),
            new Operand("out", Type.OUT, true, null, FoveaOptimizerSpec.HAS_OUT,
                FoveaOptimizerSpec.OUT_STRIDE, List.of(new Dim(BATCH, false), new Dim(COUNT,
                false)))
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
}

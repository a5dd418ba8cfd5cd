package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_cross_entropy} and its backward pass. Made by ops/generate. */
public final class NativeCrossEntropy extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaCrossEntropySpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaCrossEntropySpec.LENGTH, null,
      null);
  private static final Size CLASSES = new Size("classes", "V", FoveaCrossEntropySpec.CLASSES, null,
      null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(5);
    static final MethodHandle BACKWARD = Handles.run(6);
  }

  public static final NativeCrossEntropy OPERATION = new NativeCrossEntropy();

  private NativeCrossEntropy() {
    super(
        "cross_entropy",
        12,
        FoveaCrossEntropySpec.LAYOUT,
        List.of(BATCH, LENGTH, CLASSES),
        null,
        List.of(
            new Operand("logits", Type.SPEC, false, null, null, FoveaCrossEntropySpec.LOGITS_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(CLASSES, false))),
            new Operand("targets", Type.INT32, false, null, null,
                FoveaCrossEntropySpec.TARGETS_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false))),
            new Operand("class_weight", Type.FLOAT32, false, null,
                FoveaCrossEntropySpec.HAS_CLASS_WEIGHT, null, List.of(new Dim(CLASSES, false))),
            new Operand("out", Type.FLOAT32, true, null, null, FoveaCrossEntropySpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false))),
            new Operand("lse", Type.FLOAT32, true, null, FoveaCrossEntropySpec.HAS_LSE,
                FoveaCrossEntropySpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false)))
        ),
        List.of(
            new Operand("logits", Type.SPEC, false, null, null, FoveaCrossEntropySpec.LOGITS_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(CLASSES, false))),
            new Operand("targets", Type.INT32, false, null, null,
                FoveaCrossEntropySpec.TARGETS_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false))),
            new Operand("class_weight", Type.FLOAT32, false, null,
                FoveaCrossEntropySpec.HAS_CLASS_WEIGHT, null, List.of(new Dim(CLASSES, false))),
            new Operand("dout", Type.FLOAT32, false, null, null, FoveaCrossEntropySpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false))),
            new Operand("lse", Type.FLOAT32, false, null, FoveaCrossEntropySpec.HAS_LSE,
                FoveaCrossEntropySpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false))),
            new Operand("dlogits", Type.GRADIENT, true, null, null,
                FoveaCrossEntropySpec.DLOGITS_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH,
                false), new Dim(CLASSES, false)))
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

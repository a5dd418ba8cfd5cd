package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_merge}. Made by ops/generate. */
public final class NativeMerge extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaMergeSpec.BATCH, null, null);
  private static final Size PARTS = new Size("parts", "P", FoveaMergeSpec.PARTS, null, null);
  private static final Size QUERY_LENGTH = new Size("query_length", "Sq",
      FoveaMergeSpec.QUERY_LENGTH, null, null);
  private static final Size QUERY_HEADS = new Size("query_heads", "Hq", FoveaMergeSpec.QUERY_HEADS,
      null, null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaMergeSpec.VALUE_HEAD_DIM, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(5);
  }

  public static final NativeMerge OPERATION = new NativeMerge();

  private NativeMerge() {
    super(
        "merge",
        15,
        FoveaMergeSpec.LAYOUT,
        List.of(BATCH, PARTS, QUERY_LENGTH, QUERY_HEADS, VALUE_HEAD_DIM),
        null,
        List.of(
            new Operand("outs", Type.SPEC, false, null, null, FoveaMergeSpec.OUTS_STRIDE,
                List.of(new Dim(PARTS, false), new Dim(BATCH, false), new Dim(QUERY_LENGTH, false),
                new Dim(QUERY_HEADS, false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lses", Type.FLOAT32, false, null, null, FoveaMergeSpec.LSES_STRIDE,
                List.of(new Dim(PARTS, false), new Dim(BATCH, false), new Dim(QUERY_HEADS, false),
                new Dim(QUERY_LENGTH, false))),
            new Operand("sinks", Type.FLOAT32, false, null, FoveaMergeSpec.HAS_SINKS, null,
                List.of(new Dim(QUERY_HEADS, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaMergeSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(QUERY_LENGTH, false), new Dim(QUERY_HEADS,
                false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("lse", Type.FLOAT32, true, null, FoveaMergeSpec.HAS_LSE,
                FoveaMergeSpec.LSE_STRIDE, List.of(new Dim(BATCH, false), new Dim(QUERY_HEADS,
                false), new Dim(QUERY_LENGTH, false)))
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
}

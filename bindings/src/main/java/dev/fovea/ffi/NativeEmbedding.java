package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_embedding} and its backward pass. Made by ops/generate. */
public final class NativeEmbedding extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaEmbeddingSpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaEmbeddingSpec.LENGTH, null, null);
  private static final Size VOCABULARY = new Size("vocabulary", "V", FoveaEmbeddingSpec.VOCABULARY,
      null, null);
  private static final Size WIDTH = new Size("width", "D", FoveaEmbeddingSpec.WIDTH, null, null);
  private static final Size POSITION_COUNT = new Size("position_count", "P",
      FoveaEmbeddingSpec.POSITION_COUNT, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(5);
    static final MethodHandle BACKWARD = Handles.run(7);
  }

  public static final NativeEmbedding OPERATION = new NativeEmbedding();

  private NativeEmbedding() {
    super(
        "embedding",
        11,
        FoveaEmbeddingSpec.LAYOUT,
        List.of(BATCH, LENGTH, VOCABULARY, WIDTH, POSITION_COUNT),
        null,
        List.of(
            new Operand("table", Type.SPEC, false, null, null, FoveaEmbeddingSpec.TABLE_STRIDE,
                List.of(new Dim(VOCABULARY, false), new Dim(WIDTH, false))),
            new Operand("ids", Type.INT32, false, null, null, FoveaEmbeddingSpec.IDS_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false))),
            new Operand("positions", Type.SPEC, false, null, FoveaEmbeddingSpec.HAS_POSITIONS,
                FoveaEmbeddingSpec.POSITIONS_STRIDE, List.of(new Dim(POSITION_COUNT, false),
                new Dim(WIDTH, false))),
            new Operand("position_ids", Type.INT32, false, null,
                FoveaEmbeddingSpec.HAS_POSITION_IDS, FoveaEmbeddingSpec.POSITION_IDS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(LENGTH, false))),
            new Operand("out", Type.OUT, true, null, null, FoveaEmbeddingSpec.OUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false)))
        ),
        List.of(
            new Operand("table", Type.SPEC, false, null, null, FoveaEmbeddingSpec.TABLE_STRIDE,
                List.of(new Dim(VOCABULARY, false), new Dim(WIDTH, false))),
            new Operand("ids", Type.INT32, false, null, null, FoveaEmbeddingSpec.IDS_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false))),
            new Operand("positions", Type.SPEC, false, null, FoveaEmbeddingSpec.HAS_POSITIONS,
                FoveaEmbeddingSpec.POSITIONS_STRIDE, List.of(new Dim(POSITION_COUNT, false),
                new Dim(WIDTH, false))),
            new Operand("position_ids", Type.INT32, false, null,
                FoveaEmbeddingSpec.HAS_POSITION_IDS, FoveaEmbeddingSpec.POSITION_IDS_STRIDE,
                List.of(new Dim(BATCH, true), new Dim(LENGTH, false))),
            new Operand("dout", Type.OUT, false, null, null, FoveaEmbeddingSpec.DOUT_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(WIDTH, false))),
            new Operand("dtable", Type.FLOAT32, true, null, FoveaEmbeddingSpec.HAS_DTABLE,
                FoveaEmbeddingSpec.DTABLE_STRIDE, List.of(new Dim(VOCABULARY, false), new Dim(WIDTH,
                false))),
            new Operand("dpositions", Type.FLOAT32, true, null, FoveaEmbeddingSpec.HAS_DPOSITIONS,
                FoveaEmbeddingSpec.DPOSITIONS_STRIDE, List.of(new Dim(POSITION_COUNT, false),
                new Dim(WIDTH, false)))
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
        o[6], workspace, scratch, stream);
  }
}

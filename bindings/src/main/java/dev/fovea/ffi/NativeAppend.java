package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_append}. Made by ops/generate. */
public final class NativeAppend extends NativeOperation {
  private static final Size BATCH = new Size("batch", "B", FoveaAppendSpec.BATCH, null, null);
  private static final Size LENGTH = new Size("length", "S", FoveaAppendSpec.LENGTH,
      FoveaAppendSpec.NEW_TOTAL, "Tn");
  private static final Size KEY_HEADS = new Size("key_heads", "Hk", FoveaAppendSpec.KEY_HEADS, null,
      null);
  private static final Size HEAD_DIM = new Size("head_dim", "D", FoveaAppendSpec.HEAD_DIM, null,
      null);
  private static final Size VALUE_HEAD_DIM = new Size("value_head_dim", "Dv",
      FoveaAppendSpec.VALUE_HEAD_DIM, null, null);
  private static final Size CACHE_LENGTH = new Size("cache_length", "Sk",
      FoveaAppendSpec.CACHE_LENGTH, null, null);
  private static final Size PAGE_COUNT = new Size("page_count", "G", FoveaAppendSpec.PAGE_COUNT,
      null, null);
  private static final Size PAGE_SIZE = new Size("page_size", "Z", FoveaAppendSpec.PAGE_SIZE, null,
      null);
  private static final Size PAGE_COLUMNS = new Size("page_columns", "E",
      FoveaAppendSpec.PAGE_COLUMNS, null, null);
  private static final Size PAIRS = new Size("pairs", "C", FoveaAppendSpec.PAIRS, null, null);
  private static final Size POSITION_COUNT = new Size("position_count", "P",
      FoveaAppendSpec.POSITION_COUNT, null, null);

  /** Made by the first run: they need native access,
      and a library that was loaded says what lacks. */
  private static final class Runs {
    static final MethodHandle FORWARD = Handles.run(13);
  }

  public static final NativeAppend OPERATION = new NativeAppend();

  private NativeAppend() {
    super(
        "append",
        16,
        FoveaAppendSpec.LAYOUT,
        List.of(BATCH, LENGTH, KEY_HEADS, HEAD_DIM, VALUE_HEAD_DIM, CACHE_LENGTH, PAGE_COUNT,
            PAGE_SIZE, PAGE_COLUMNS, PAIRS, POSITION_COUNT),
        new Operand.Pages(FoveaAppendSpec.HAS_BLOCK_TABLE, PAGE_COUNT, PAGE_SIZE, CACHE_LENGTH),
        List.of(
            new Operand("key", Type.SPEC, false, null, null, FoveaAppendSpec.KEY_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(LENGTH, false), new Dim(KEY_HEADS, false),
                new Dim(HEAD_DIM, false))),
            new Operand("value", Type.SPEC, false, null, FoveaAppendSpec.HAS_VALUE,
                FoveaAppendSpec.VALUE_STRIDE, List.of(new Dim(BATCH, false), new Dim(LENGTH, false),
                new Dim(KEY_HEADS, false), new Dim(VALUE_HEAD_DIM, false))),
            new Operand("starts", Type.INT32, false, null, null, null, List.of(new Dim(BATCH,
                false))),
            new Operand("lengths", Type.INT32, false, LENGTH, FoveaAppendSpec.HAS_LENGTHS, null,
                List.of(new Dim(BATCH, false))),
            new Operand("cu_seqlens", Type.OFFSETS, false, LENGTH, FoveaAppendSpec.PACKED, null,
                List.of(new Dim(BATCH, false))),
            new Operand("cosines", Type.FLOAT32, false, null, FoveaAppendSpec.HAS_COSINES,
                FoveaAppendSpec.COSINES_STRIDE, List.of(new Dim(BATCH, true),
                new Dim(POSITION_COUNT, false), new Dim(PAIRS, false))),
            new Operand("sines", Type.FLOAT32, false, null, FoveaAppendSpec.HAS_SINES,
                FoveaAppendSpec.SINES_STRIDE, List.of(new Dim(BATCH, true), new Dim(POSITION_COUNT,
                false), new Dim(PAIRS, false))),
            new Operand("positions", Type.INT32, false, null, FoveaAppendSpec.HAS_POSITIONS,
                FoveaAppendSpec.POSITIONS_STRIDE, List.of(new Dim(BATCH, true), new Dim(LENGTH,
                false))),
            new Operand("block_table", Type.INT32, false, null, FoveaAppendSpec.HAS_BLOCK_TABLE,
                FoveaAppendSpec.BLOCK_TABLE_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(PAGE_COLUMNS, false))),
            new Operand("key_cache", Type.CACHE, true, null, null, FoveaAppendSpec.KEY_CACHE_STRIDE,
                List.of(new Dim(BATCH, false), new Dim(CACHE_LENGTH, false), new Dim(KEY_HEADS,
                false), new Dim(HEAD_DIM, false)), true, true),
            new Operand("value_cache", Type.CACHE, true, null, FoveaAppendSpec.HAS_VALUE_CACHE,
                FoveaAppendSpec.VALUE_CACHE_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(CACHE_LENGTH, false), new Dim(KEY_HEADS, false), new Dim(VALUE_HEAD_DIM,
                false)), true, true),
            new Operand("key_scales", Type.FLOAT32, true, null, FoveaAppendSpec.HAS_KEY_SCALES,
                FoveaAppendSpec.KEY_SCALES_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(CACHE_LENGTH, true), new Dim(KEY_HEADS, false)), true, true),
            new Operand("value_scales", Type.FLOAT32, true, null, FoveaAppendSpec.HAS_VALUE_SCALES,
                FoveaAppendSpec.VALUE_SCALES_STRIDE, List.of(new Dim(BATCH, false),
                new Dim(CACHE_LENGTH, true), new Dim(KEY_HEADS, false)), true, true)
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
        o[6], o[7], o[8], o[9], o[10], o[11], o[12], workspace, scratch, stream);
  }
}

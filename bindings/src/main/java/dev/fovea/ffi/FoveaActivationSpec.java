package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_activation_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaActivationSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("function"),
              ValueLayout.JAVA_INT.withName("has_bias"),
              ValueLayout.JAVA_INT.withName("has_gate"),
              ValueLayout.JAVA_INT.withName("has_residual"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dx"),
              ValueLayout.JAVA_INT.withName("has_dbias"),
              ValueLayout.JAVA_INT.withName("has_dgate"),
              ValueLayout.JAVA_INT.withName("has_dresidual"),
              ValueLayout.JAVA_FLOAT.withName("dropout"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("width"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("x_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("gate_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("residual_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dx_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dgate_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dresidual_stride")
          ).withName("fovea_activation_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 FUNCTION = Field.Int32.of(LAYOUT, "function");
  public static final Field.Int32 HAS_BIAS = Field.Int32.of(LAYOUT, "has_bias");
  public static final Field.Int32 HAS_GATE = Field.Int32.of(LAYOUT, "has_gate");
  public static final Field.Int32 HAS_RESIDUAL = Field.Int32.of(LAYOUT, "has_residual");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DX = Field.Int32.of(LAYOUT, "has_dx");
  public static final Field.Int32 HAS_DBIAS = Field.Int32.of(LAYOUT, "has_dbias");
  public static final Field.Int32 HAS_DGATE = Field.Int32.of(LAYOUT, "has_dgate");
  public static final Field.Int32 HAS_DRESIDUAL = Field.Int32.of(LAYOUT, "has_dresidual");
  public static final Field.Float32 DROPOUT = Field.Float32.of(LAYOUT, "dropout");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 WIDTH = Field.Int64.of(LAYOUT, "width");
  public static final Field.Int64Array X_STRIDE = Field.Int64Array.of(LAYOUT, "x_stride");
  public static final Field.Int64Array GATE_STRIDE = Field.Int64Array.of(LAYOUT, "gate_stride");
  public static final Field.Int64Array RESIDUAL_STRIDE = Field.Int64Array.of(LAYOUT,
      "residual_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DX_STRIDE = Field.Int64Array.of(LAYOUT, "dx_stride");
  public static final Field.Int64Array DGATE_STRIDE = Field.Int64Array.of(LAYOUT, "dgate_stride");
  public static final Field.Int64Array DRESIDUAL_STRIDE = Field.Int64Array.of(LAYOUT,
      "dresidual_stride");

  private FoveaActivationSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_norm_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaNormSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("centered"),
              ValueLayout.JAVA_INT.withName("accumulate_dx"),
              ValueLayout.JAVA_INT.withName("has_weight"),
              ValueLayout.JAVA_INT.withName("has_bias"),
              ValueLayout.JAVA_INT.withName("has_mean"),
              ValueLayout.JAVA_INT.withName("has_inverse"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_INT.withName("has_dweight"),
              ValueLayout.JAVA_INT.withName("has_dbias"),
              ValueLayout.JAVA_FLOAT.withName("epsilon"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("heads"),
              ValueLayout.JAVA_LONG.withName("width"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("x_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("weight_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("bias_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("mean_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("inverse_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(3, ValueLayout.JAVA_LONG).withName("dx_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dweight_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dbias_stride")
          ).withName("fovea_norm_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 CENTERED = Field.Int32.of(LAYOUT, "centered");
  public static final Field.Int32 ACCUMULATE_DX = Field.Int32.of(LAYOUT, "accumulate_dx");
  public static final Field.Int32 HAS_WEIGHT = Field.Int32.of(LAYOUT, "has_weight");
  public static final Field.Int32 HAS_BIAS = Field.Int32.of(LAYOUT, "has_bias");
  public static final Field.Int32 HAS_MEAN = Field.Int32.of(LAYOUT, "has_mean");
  public static final Field.Int32 HAS_INVERSE = Field.Int32.of(LAYOUT, "has_inverse");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Int32 HAS_DWEIGHT = Field.Int32.of(LAYOUT, "has_dweight");
  public static final Field.Int32 HAS_DBIAS = Field.Int32.of(LAYOUT, "has_dbias");
  public static final Field.Float32 EPSILON = Field.Float32.of(LAYOUT, "epsilon");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 HEADS = Field.Int64.of(LAYOUT, "heads");
  public static final Field.Int64 WIDTH = Field.Int64.of(LAYOUT, "width");
  public static final Field.Int64Array X_STRIDE = Field.Int64Array.of(LAYOUT, "x_stride");
  public static final Field.Int64Array WEIGHT_STRIDE = Field.Int64Array.of(LAYOUT, "weight_stride");
  public static final Field.Int64Array BIAS_STRIDE = Field.Int64Array.of(LAYOUT, "bias_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array MEAN_STRIDE = Field.Int64Array.of(LAYOUT, "mean_stride");
  public static final Field.Int64Array INVERSE_STRIDE = Field.Int64Array.of(LAYOUT,
      "inverse_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DX_STRIDE = Field.Int64Array.of(LAYOUT, "dx_stride");
  public static final Field.Int64Array DWEIGHT_STRIDE = Field.Int64Array.of(LAYOUT,
      "dweight_stride");
  public static final Field.Int64Array DBIAS_STRIDE = Field.Int64Array.of(LAYOUT, "dbias_stride");

  private FoveaNormSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_optimizer_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaOptimizerSpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("rule"),
              ValueLayout.JAVA_INT.withName("nesterov"),
              ValueLayout.JAVA_INT.withName("has_mean"),
              ValueLayout.JAVA_INT.withName("has_square"),
              ValueLayout.JAVA_INT.withName("has_out"),
              ValueLayout.JAVA_FLOAT.withName("beta1"),
              ValueLayout.JAVA_FLOAT.withName("beta2"),
              ValueLayout.JAVA_FLOAT.withName("epsilon"),
              ValueLayout.JAVA_FLOAT.withName("weight_decay"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("count"),
              ValueLayout.JAVA_LONG.withName("rate_count"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("gradient_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("parameter_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("mean_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("square_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("out_stride")
          ).withName("fovea_optimizer_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 RULE = Field.Int32.of(LAYOUT, "rule");
  public static final Field.Int32 NESTEROV = Field.Int32.of(LAYOUT, "nesterov");
  public static final Field.Int32 HAS_MEAN = Field.Int32.of(LAYOUT, "has_mean");
  public static final Field.Int32 HAS_SQUARE = Field.Int32.of(LAYOUT, "has_square");
  public static final Field.Int32 HAS_OUT = Field.Int32.of(LAYOUT, "has_out");
  public static final Field.Float32 BETA1 = Field.Float32.of(LAYOUT, "beta1");
  public static final Field.Float32 BETA2 = Field.Float32.of(LAYOUT, "beta2");
  public static final Field.Float32 EPSILON = Field.Float32.of(LAYOUT, "epsilon");
  public static final Field.Float32 WEIGHT_DECAY = Field.Float32.of(LAYOUT, "weight_decay");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 COUNT = Field.Int64.of(LAYOUT, "count");
  public static final Field.Int64 RATE_COUNT = Field.Int64.of(LAYOUT, "rate_count");
  public static final Field.Int64Array GRADIENT_STRIDE = Field.Int64Array.of(LAYOUT,
      "gradient_stride");
  public static final Field.Int64Array PARAMETER_STRIDE = Field.Int64Array.of(LAYOUT,
      "parameter_stride");
  public static final Field.Int64Array MEAN_STRIDE = Field.Int64Array.of(LAYOUT, "mean_stride");
  public static final Field.Int64Array SQUARE_STRIDE = Field.Int64Array.of(LAYOUT, "square_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");

  private FoveaOptimizerSpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

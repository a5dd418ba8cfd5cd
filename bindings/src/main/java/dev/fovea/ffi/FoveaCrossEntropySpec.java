package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_cross_entropy_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class FoveaCrossEntropySpec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              ValueLayout.JAVA_INT.withName("size"),
              ValueLayout.JAVA_INT.withName("pass"),
              ValueLayout.JAVA_INT.withName("dtype"),
              ValueLayout.JAVA_INT.withName("out_dtype"),
              ValueLayout.JAVA_INT.withName("gradient_dtype"),
              ValueLayout.JAVA_INT.withName("has_class_weight"),
              ValueLayout.JAVA_INT.withName("has_lse"),
              ValueLayout.JAVA_INT.withName("deterministic"),
              ValueLayout.JAVA_INT.withName("accumulate"),
              ValueLayout.JAVA_FLOAT.withName("label_smoothing"),
              ValueLayout.JAVA_LONG.withName("batch"),
              ValueLayout.JAVA_LONG.withName("length"),
              ValueLayout.JAVA_LONG.withName("classes"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("logits_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("targets_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("out_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("lse_stride"),
              MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_LONG).withName("dout_stride"),
              MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_LONG).withName("dlogits_stride")
          ).withName("fovea_cross_entropy_spec");

  public static final Field.Int32 SIZE = Field.Int32.of(LAYOUT, "size");
  public static final Field.Int32 PASS = Field.Int32.of(LAYOUT, "pass");
  public static final Field.Int32 DTYPE = Field.Int32.of(LAYOUT, "dtype");
  public static final Field.Int32 OUT_DTYPE = Field.Int32.of(LAYOUT, "out_dtype");
  public static final Field.Int32 GRADIENT_DTYPE = Field.Int32.of(LAYOUT, "gradient_dtype");
  public static final Field.Int32 HAS_CLASS_WEIGHT = Field.Int32.of(LAYOUT, "has_class_weight");
  public static final Field.Int32 HAS_LSE = Field.Int32.of(LAYOUT, "has_lse");
  public static final Field.Int32 DETERMINISTIC = Field.Int32.of(LAYOUT, "deterministic");
  public static final Field.Int32 ACCUMULATE = Field.Int32.of(LAYOUT, "accumulate");
  public static final Field.Float32 LABEL_SMOOTHING = Field.Float32.of(LAYOUT, "label_smoothing");
  public static final Field.Int64 BATCH = Field.Int64.of(LAYOUT, "batch");
  public static final Field.Int64 LENGTH = Field.Int64.of(LAYOUT, "length");
  public static final Field.Int64 CLASSES = Field.Int64.of(LAYOUT, "classes");
  public static final Field.Int64Array LOGITS_STRIDE = Field.Int64Array.of(LAYOUT, "logits_stride");
  public static final Field.Int64Array TARGETS_STRIDE = Field.Int64Array.of(LAYOUT,
      "targets_stride");
  public static final Field.Int64Array OUT_STRIDE = Field.Int64Array.of(LAYOUT, "out_stride");
  public static final Field.Int64Array LSE_STRIDE = Field.Int64Array.of(LAYOUT, "lse_stride");
  public static final Field.Int64Array DOUT_STRIDE = Field.Int64Array.of(LAYOUT, "dout_stride");
  public static final Field.Int64Array DLOGITS_STRIDE = Field.Int64Array.of(LAYOUT,
      "dlogits_stride");

  private FoveaCrossEntropySpec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}

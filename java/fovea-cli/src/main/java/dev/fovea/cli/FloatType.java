package dev.fovea.cli;

import dev.fovea.DType;

/** Element types that attention computes on, as the command line spells them. */
enum FloatType {
  FLOAT32(DType.FLOAT32),
  FLOAT16(DType.FLOAT16),
  BFLOAT16(DType.BFLOAT16);

  private final DType dtype;

  FloatType(DType dtype) {
    this.dtype = dtype;
  }

  DType dtype() {
    return dtype;
  }

  @Override
  public String toString() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}

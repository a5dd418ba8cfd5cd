package dev.fovea;

import dev.fovea.ffi.Abi;

/** Element types. */
public enum DType {
  /** IEEE 754 binary32. */
  FLOAT32(4),
  /** IEEE 754 binary16: 11 bits of precision, largest value 65504. */
  FLOAT16(2),
  /** The upper half of a binary32: 8 bits of precision, the range of {@link #FLOAT32}. */
  BFLOAT16(2),
  /** Two's complement; for lengths, offsets and indices, never for values. */
  INT32(4),
  /** A byte: 0 is false, anything else true; for masks. */
  BOOL(1),
  /** Two's complement of one byte; of a cache of keys and values, times its scales. */
  INT8(1),
  /** A byte of two values from -8 to 7, the first in its lower half; of such a cache. */
  INT4X2(1),
  /**
   * 4 bits of exponent with bias 7, 3 of mantissa, no infinities: largest value 448; of such a
   * cache, and of queries of {@link Attention}. (Micikevicius et al., 2022, arXiv 2209.05433.)
   */
  FLOAT8_E4M3(1);

  private final int byteSize;

  DType(int byteSize) {
    this.byteSize = byteSize;
  }

  /** Bytes of one element. */
  public int byteSize() {
    return byteSize;
  }

  /** As the ABI numbers it. */
  int code() {
    return switch (this) {
      case FLOAT32 -> Abi.FLOAT32;
      case FLOAT16 -> Abi.FLOAT16;
      case BFLOAT16 -> Abi.BFLOAT16;
      case INT8 -> Abi.INT8;
      case INT4X2 -> Abi.INT4X2;
      case FLOAT8_E4M3 -> Abi.FLOAT8_E4M3;
      case INT32, BOOL ->
          throw new IllegalArgumentException("dtype is " + this + ", expected a floating type");
    };
  }

  static DType of(int code) {
    return switch (code) {
      case Abi.FLOAT32 -> FLOAT32;
      case Abi.FLOAT16 -> FLOAT16;
      case Abi.BFLOAT16 -> BFLOAT16;
      case Abi.INT8 -> INT8;
      case Abi.INT4X2 -> INT4X2;
      case Abi.FLOAT8_E4M3 -> FLOAT8_E4M3;
      default -> throw new IllegalArgumentException("no element type has the code " + code);
    };
  }

  /** True for types that operations compute in, and that convert to each other. */
  boolean isFloating() {
    return this == FLOAT32 || this == FLOAT16 || this == BFLOAT16;
  }

  /** True for those whose elements are bytes to a tensor, which only caches know how to read. */
  public boolean isQuantized() {
    return this == INT8 || this == INT4X2 || this == FLOAT8_E4M3;
  }

  /** Values that an element holds: 2 of {@link #INT4X2}, 1 of all others. */
  public int packedValues() {
    return this == INT4X2 ? 2 : 1;
  }

  void requireConvertibleTo(DType other) {
    boolean floating = isFloating() && other.isFloating();
    if (this != other && !floating) {
      throw new IllegalArgumentException("%s does not convert to %s".formatted(this, other));
    }
  }
}

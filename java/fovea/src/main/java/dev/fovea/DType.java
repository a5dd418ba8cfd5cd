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
  BOOL(1);

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
      case INT32, BOOL ->
          throw new IllegalArgumentException("dtype is " + this + ", expected a floating type");
    };
  }

  static DType of(int code) {
    return switch (code) {
      case Abi.FLOAT32 -> FLOAT32;
      case Abi.FLOAT16 -> FLOAT16;
      case Abi.BFLOAT16 -> BFLOAT16;
      default -> throw new IllegalArgumentException("no element type has the code " + code);
    };
  }

  boolean isFloating() {
    return this != INT32 && this != BOOL;
  }

  void requireConvertibleTo(DType other) {
    boolean floating = isFloating() && other.isFloating();
    if (this != other && !floating) {
      throw new IllegalArgumentException("%s does not convert to %s".formatted(this, other));
    }
  }
}

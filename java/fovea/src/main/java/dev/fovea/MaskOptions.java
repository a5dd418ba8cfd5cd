package dev.fovea;

import dev.fovea.Attention.Alignment;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;

/**
 * What every operation over queries and keys may be told: masks, dropout and the element type of
 * out, null for that of query.
 */
record MaskOptions(
    boolean causal,
    Alignment alignment,
    long windowLeft,
    long windowRight,
    float dropout,
    DType outDType) {

  static final MaskOptions DEFAULT =
      new MaskOptions(
          false, Alignment.BOTTOM_RIGHT, Attention.UNBOUNDED, Attention.UNBOUNDED, 0, null);

  MaskOptions withoutDropout() {
    return new MaskOptions(causal, alignment, windowLeft, windowRight, 0, outDType);
  }

  void fill(NativeOperation operation, MemorySegment spec) {
    if (outDType != null) {
      operation.outDType().set(spec, outDType.code());
    }
    operation.int32("causal").set(spec, causal ? 1 : 0);
    operation
        .int32("alignment")
        .set(
            spec,
            switch (alignment) {
              case BOTTOM_RIGHT -> Abi.BOTTOM_RIGHT;
              case TOP_LEFT -> Abi.TOP_LEFT;
            });
    fillSide(operation, spec, "window_left", windowLeft);
    fillSide(operation, spec, "window_right", windowRight);
    operation.float32("dropout").set(spec, dropout);
  }

  private static void fillSide(
      NativeOperation operation, MemorySegment spec, String side, long size) {
    if (size != Attention.UNBOUNDED) {
      operation.int32("has_" + side).set(spec, 1);
      operation.int64(side).set(spec, size);
    }
  }

  /** The mask, for people. */
  String mask() {
    if (windowLeft == Attention.UNBOUNDED && windowRight == Attention.UNBOUNDED) {
      return causal ? "causal" : "none";
    }
    return (causal ? "causal " : "") + "window(%d, %d)".formatted(windowLeft, windowRight);
  }

  /** As text, with {@code own} options of an operation between. */
  String describe(String operation, String own) {
    StringBuilder text = new StringBuilder(operation).append("[mask=").append(mask());
    if (alignment != Alignment.BOTTOM_RIGHT) {
      text.append(", alignment=").append(alignment);
    }
    text.append(own);
    if (dropout != 0) {
      text.append(", dropout=").append(dropout);
    }
    if (outDType != null) {
      text.append(", out=").append(outDType);
    }
    return text.append(']').toString();
  }
}

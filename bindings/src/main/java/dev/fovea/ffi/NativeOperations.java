package dev.fovea.ffi;

import java.util.List;

/** The operations of {@code fovea.h}. Made by ops/generate. */
public final class NativeOperations {
  /** All of them. */
  public static final List<NativeOperation> ALL = List.of(NativeActivation.OPERATION,
      NativeAdditive.OPERATION, NativeAppend.OPERATION, NativeAttention.OPERATION,
      NativeChannel.OPERATION, NativeCrossEntropy.OPERATION, NativeDistance.OPERATION,
      NativeEmbedding.OPERATION, NativeLinear.OPERATION, NativeMerge.OPERATION,
      NativeNorm.OPERATION, NativeOptimizer.OPERATION, NativeProjection.OPERATION,
      NativeRotary.OPERATION, NativeSpatial.OPERATION);

  private NativeOperations() {}
}

package dev.fovea;

import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeSpatial;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Attention over the positions of images, the spatial half of CBAM: what to compute, and nothing
 * about shapes. Immutable and thread-safe.
 *
 * <p>With x [N, C, H, W], weight [2, K, K], K odd, and, if given to the call, bias [1], for each
 * image:
 *
 * <pre>
 *   map0_hw = sum_c x_chw / C
 *   map1_hw = max_c x_chw
 *   z_hw    = bias + sum_mij weight_mij map_m(h + i - K/2, w + j - K/2), maps 0 outside of the image
 *   gate    = sigmoid(z)
 *   out_chw = x_chw gate_hw
 * </pre>
 *
 * <p>Images may have their channels first or last: strides say so, {@code x.permute(0, 3, 1, 2)} is
 * [N, C, H, W] of an [N, H, W, C], and both are fast where out lies as x does. Sums are float32 or
 * better, NaN and infinities go the way that IEEE 754 sends them. The same inputs give the same
 * bits for any batch size and any number of threads.
 *
 * <p>Source: Woo et al., CBAM: Convolutional block attention module, 2018, arXiv 1807.06521,
 * section 3.
 */
public final class SpatialAttention {
  /** The fields of a {@link SpatialAttention}; a record for its equals and hashCode. */
  record Options(DType outDType) implements OperationSpec { // null: that of x
    @Override
    public NativeOperation operation() {
      return NativeSpatial.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
    }

    @Override
    public String toString() {
      return "SpatialAttention[" + (outDType == null ? "" : "out=" + outDType) + "]";
    }
  }

  private final Options options;

  private SpatialAttention(Options options) {
    this.options = options;
  }

  /** Out in the type of x. */
  public static SpatialAttention create() {
    return new SpatialAttention(new Options(null));
  }

  /** The same with out in that floating type. */
  public SpatialAttention outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new SpatialAttention(new Options(dtype));
  }

  /**
   * Binds operands: x [N, C, H, W] with any strides, weight [2, K, K] {@link DType#FLOAT32} with a
   * contiguous last dimension. Nothing is checked before the call is planned or run.
   */
  public SpatialCall call(Tensor x, Tensor weight) {
    return new SpatialCall(this, x, weight, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [N, C, H, W] of {@code scope}. For images whose channels are
   * last, {@link SpatialCall#out} takes one that lies as they do.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x, Tensor weight) {
    return scope.withMemory(memory -> new SpatialCall(this, x, weight, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SpatialAttention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(SpatialAttention.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

package dev.fovea;

import dev.fovea.ffi.NativeChannel;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Attention over the channels of images by squeeze and excitation: what to compute, and nothing
 * about shapes. Immutable and thread-safe.
 *
 * <p>With x [N, C, H, W], weight1 [R, C], weight2 [C, R] and, if given to the call, bias1 [R] and
 * bias2 [C], for each image:
 *
 * <pre>
 *   mean_c  = sum_hw x_chw / (H W)
 *   hidden  = relu(weight1 mean + bias1)
 *   gate    = sigmoid(weight2 hidden + bias2)
 *   out_chw = x_chw gate_c
 * </pre>
 *
 * <p>R is C over the reduction ratio. Images may have their channels first or last: strides say so,
 * {@code x.permute(0, 3, 1, 2)} is [N, C, H, W] of an [N, H, W, C], and both are fast where out
 * lies as x does. Sums are float32 or better, NaN and infinities go the way that IEEE 754 sends
 * them. The same inputs give the same bits for any batch size and any number of threads.
 *
 * <p>Source: Hu et al., Squeeze-and-excitation networks, 2017, arXiv 1709.01507.
 */
public final class ChannelAttention {
  /** The fields of a {@link ChannelAttention}; a record for its equals and hashCode. */
  record Options(DType outDType) implements OperationSpec { // null: that of x
    @Override
    public NativeOperation operation() {
      return NativeChannel.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
    }

    @Override
    public String toString() {
      return "ChannelAttention[" + (outDType == null ? "" : "out=" + outDType) + "]";
    }
  }

  private final Options options;

  private ChannelAttention(Options options) {
    this.options = options;
  }

  /** Out in the type of x. */
  public static ChannelAttention create() {
    return new ChannelAttention(new Options(null));
  }

  /** The same with out in that floating type. */
  public ChannelAttention outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new ChannelAttention(new Options(dtype));
  }

  /**
   * Binds operands: x [N, C, H, W] with any strides, weight1 [R, C] and weight2 [C, R] {@link
   * DType#FLOAT32} with a contiguous last dimension. Nothing is checked before the call is planned
   * or run.
   */
  public ChannelCall call(Tensor x, Tensor weight1, Tensor weight2) {
    return new ChannelCall(this, x, weight1, weight2, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [N, C, H, W] of {@code scope}. For images whose channels are
   * last, {@link ChannelCall#out} takes one that lies as they do.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor x, Tensor weight1, Tensor weight2) {
    return scope.withMemory(
        memory -> new ChannelCall(this, x, weight1, weight2, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ChannelAttention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(ChannelAttention.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}

package dev.fovea;

/**
 * The backward pass of a {@link SpatialCall}: from the gradient of out those of the operands.
 *
 * <p>With maps and gate as in {@link SpatialAttention}, for each image:
 *
 * <pre>
 *   s_hw        = sum_c dout_chw x_chw
 *   dz_hw       = s_hw gate_hw (1 - gate_hw)
 *   dmap_m(h,w) = sum_ij weight_mij dz(h - i + K/2, w - j + K/2), dz 0 outside of the image
 *   dx_chw      = gate_hw dout_chw + dmap0_hw / C, + dmap1_hw in the lowest channel of the maximum
 *   dweight_mij = sum_nhw dz_hw map_m(h + i - K/2, w + j - K/2)
 *   dbias       = sum_nhw dz_hw
 * </pre>
 *
 * <p>{@link #accumulate} adds to all but dx.
 *
 * <p>Source: Woo et al., CBAM: Convolutional block attention module, 2018, arXiv 1807.06521.
 */
public final class SpatialBackward extends OperationBackward<SpatialBackward> {
  SpatialBackward(SpatialCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: [N, C, H, W] of any floating type, with any strides. Null for
   * {@link #backward} to make one. Like all gradients it shares no element with another or with
   * what is read.
   */
  public SpatialBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /**
   * Where the gradient of weight goes: [2, K, K] {@link DType#FLOAT32}. Null if it is not wanted.
   */
  public SpatialBackward dweight(Tensor dweight) {
    return bind("dweight", dweight);
  }

  /** Where the gradient of bias goes: [1] {@link DType#FLOAT32}. Null if it is not wanted. */
  public SpatialBackward dbias(Tensor dbias) {
    return bind("dbias", dbias);
  }

  /**
   * Runs, and returns dx: a new dense tensor [N, C, H, W] in {@code scope}, of the type of x, where
   * none is set. The new one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dx");
  }
}

package dev.fovea;

/**
 * The backward pass of a {@link ChannelCall}: from the gradient of out those of the operands.
 *
 * <p>With mean, hidden and gate as in {@link ChannelAttention}, for each image, and * elementwise:
 *
 * <pre>
 *   s_c      = sum_hw dout_chw x_chw
 *   dz2      = s * gate * (1 - gate)
 *   dz1      = weight2^T dz2, 0 where hidden is
 *   dx_chw   = gate_c dout_chw + (weight1^T dz1)_c / (H W)
 *   dweight2 = sum_n dz2 hidden^T,  dbias2 = sum_n dz2
 *   dweight1 = sum_n dz1 mean^T,    dbias1 = sum_n dz1
 * </pre>
 *
 * <p>{@link #accumulate} adds to all but dx.
 *
 * <p>Source: Hu et al., Squeeze-and-excitation networks, 2017, arXiv 1709.01507.
 */
public final class ChannelBackward extends OperationBackward<ChannelBackward> {
  ChannelBackward(ChannelCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: [N, C, H, W] of any floating type, with any strides. Null for
   * {@link #backward} to make one. Like all gradients it shares no element with another or with
   * what is read.
   */
  public ChannelBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /** Where the gradient of weight1 goes: [R, C] {@link DType#FLOAT32}. Null if it is not wanted. */
  public ChannelBackward dweight1(Tensor dweight1) {
    return bind("dweight1", dweight1);
  }

  /** Where the gradient of bias1 goes: [R] {@link DType#FLOAT32}. Null if it is not wanted. */
  public ChannelBackward dbias1(Tensor dbias1) {
    return bind("dbias1", dbias1);
  }

  /** Where the gradient of weight2 goes: [C, R] {@link DType#FLOAT32}. Null if it is not wanted. */
  public ChannelBackward dweight2(Tensor dweight2) {
    return bind("dweight2", dweight2);
  }

  /** Where the gradient of bias2 goes: [C] {@link DType#FLOAT32}. Null if it is not wanted. */
  public ChannelBackward dbias2(Tensor dbias2) {
    return bind("dbias2", dbias2);
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

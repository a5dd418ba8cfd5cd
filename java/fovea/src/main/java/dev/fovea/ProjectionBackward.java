package dev.fovea;

/**
 * The backward pass of a {@link ProjectionCall}: from the gradient of out those of the operands.
 *
 * <pre>
 *   dx_jhd      = sum_r weight_hrj dout_rhd, 0 from the length of a sequence on
 *   dweight_hrj = sum_bd dout_brhd x_bjhd, over the sequences that have position j
 * </pre>
 *
 * <p>dweight of a weight that heads share is the sum over them. {@link #accumulate} adds to dweight
 * alone: keys and values, or layers, may share a weight. Sums are in a fixed order: every run gives
 * the same bits.
 *
 * <p>Source: Wang et al., Linformer: Self-attention with linear complexity, 2020, arXiv 2006.04768.
 */
public final class ProjectionBackward extends OperationBackward<ProjectionBackward> {
  ProjectionBackward(ProjectionCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: its shape, of any floating type, with a contiguous last
   * dimension. Null for {@link #backward} to make one. Like all gradients it shares no element with
   * another or with what is read.
   */
  public ProjectionBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /**
   * Where the gradient of weight goes: its shape, {@link DType#FLOAT32}, with a contiguous last
   * dimension. Null if it is not wanted.
   */
  public ProjectionBackward dweight(Tensor dweight) {
    return bind("dweight", dweight);
  }

  /**
   * Runs, and returns dx: a new dense tensor [B, S, H, D] in {@code scope}, of the type of x, where
   * none is set. The new one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dx");
  }
}

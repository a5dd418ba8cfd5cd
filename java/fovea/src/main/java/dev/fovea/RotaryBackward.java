package dev.fovea;

/**
 * The backward pass of a {@link RotaryCall}: from the gradient of out that of x, turned back.
 *
 * <pre>
 *   dx_a = cosines_tc dout_a + sines_tc dout_b
 *   dx_b = cosines_tc dout_b - sines_tc dout_a
 * </pre>
 *
 * <p>The tables have no gradient, and {@link #accumulate} nothing to add to.
 *
 * <p>Source: Su et al., RoFormer: Enhanced transformer with rotary position embedding, 2021, arXiv
 * 2104.09864.
 */
public final class RotaryBackward extends OperationBackward<RotaryBackward> {
  RotaryBackward(RotaryCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: its shape, of any floating type, with a contiguous last
   * dimension. Null for {@link #backward} to make one. It shares no element with what is read.
   */
  public RotaryBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /**
   * Runs, and returns dx: a new dense tensor in {@code scope}, of the type of x, where none is set.
   * The new one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dx");
  }
}

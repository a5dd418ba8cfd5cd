package dev.fovea;

/**
 * The backward pass of a {@link CrossEntropyCall}: from the gradient of out that of the logits.
 *
 * <pre>
 *   dx_v = dout (((1 - e) w_y + e / V sum_u w_u) exp(x_v - lse) - (1 - e) w_y [v = y] - e / V w_v)
 * </pre>
 *
 * <p>Of a row that is ignored it is exactly 0, and neither its logits nor its dout are read. Class
 * weights have no gradient, and {@link #accumulate} nothing to add to.
 */
public final class CrossEntropyBackward extends OperationBackward<CrossEntropyBackward> {
  /** {@code lse} is null for that of the call's last run. */
  CrossEntropyBackward(CrossEntropyCall call, Tensor dout, Tensor lse, RunMemory memory) {
    super(call, dout, lse == null ? null : saved(call, lse), memory);
  }

  private static Bindings saved(CrossEntropyCall call, Tensor lse) {
    return new Bindings(call.spec().operation()).set("lse", lse);
  }

  /**
   * Where the gradient of logits goes: its shape, of any floating type, with a contiguous last
   * dimension. Null for {@link #backward} to make one. It shares no element with what is read.
   */
  public CrossEntropyBackward dlogits(Tensor dlogits) {
    return bind("dlogits", dlogits);
  }

  /**
   * Runs, and returns dlogits: a new dense tensor in {@code scope}, of the type of logits, where
   * none is set. The new one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dlogits");
  }
}

package dev.fovea;

/**
 * The backward pass of an {@link ActivationCall}: from the gradient of out those of the operands,
 * each of which may be wanted alone. Only what these need is computed and read.
 *
 * <pre>
 *   g         = dropout(dout), of the elements that the forward kept
 *   dgate     = g f(z)
 *   dx        = g gate f'(z)
 *   dbias_d   = sum_bs dx
 *   dresidual = dout
 * </pre>
 *
 * <p>At an infinity f' is its limit. The gradients of an element that was dropped are 0, whatever
 * it was. dbias is summed in float32 before dx rounds to its type, in a fixed order: every run
 * gives the same bits. {@link #accumulate} adds to dbias alone.
 *
 * <p>For a linear layer without a function, {@code identity().call(y).bias(b).gradients(dy)
 * .dbias(db).run()} sums the columns of dy, and reads nothing else.
 *
 * <p>Sources: as of {@link Activation}.
 */
public final class ActivationBackward extends OperationBackward<ActivationBackward> {
  ActivationBackward(ActivationCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of x goes: its shape, of any floating type, with a contiguous last
   * dimension. Null if it is not wanted, or for {@link #backward} to make one. Like all gradients
   * it shares no element with another or with what is read.
   */
  public ActivationBackward dx(Tensor dx) {
    return bind("dx", dx);
  }

  /** Where the gradient of bias goes: [D] {@link DType#FLOAT32}. Null if it is not wanted. */
  public ActivationBackward dbias(Tensor dbias) {
    return bind("dbias", dbias);
  }

  /**
   * Where the gradient of gate goes: its shape, of the type of dx, with a contiguous last
   * dimension. Null if it is not wanted.
   */
  public ActivationBackward dgate(Tensor dgate) {
    return bind("dgate", dgate);
  }

  /**
   * Where the gradient of residual goes, dout in another type and memory: its shape, of the type of
   * dx, with a contiguous last dimension. Null if it is not wanted, or dout does for it.
   */
  public ActivationBackward dresidual(Tensor dresidual) {
    return bind("dresidual", dresidual);
  }

  /**
   * Runs, and returns dx: a new dense tensor in {@code scope}, of the type of x, or of the other
   * gradients if they have one, where none is set. The new one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dx");
  }
}

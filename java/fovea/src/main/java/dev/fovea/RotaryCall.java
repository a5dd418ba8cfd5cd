package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link RotaryEmbedding}: {@link RotaryEmbedding#call} takes x and tables,
 * this what else it reads. Where the result goes has the shape of x.
 */
public final class RotaryCall extends OperationCall<RotaryCall> {
  RotaryCall(RotaryEmbedding embedding, Tensor x, Tensor cosines, Tensor sines, RunMemory memory) {
    super(
        embedding.options(),
        new Bindings(embedding.options().operation())
            .set("x", Objects.requireNonNull(x, "x"))
            .set("cosines", Objects.requireNonNull(cosines, "cosines"))
            .set("sines", Objects.requireNonNull(sines, "sines")),
        memory);
  }

  /**
   * The rows of the tables that the rows of x are at, [B or 1, S], {@link DType#INT32}. Null for s
   * at row s. The CPU refuses one that is no row of the tables; a device that cannot say so gives
   * NaN for it.
   */
  public RotaryCall positions(Tensor positions) {
    return bind("positions", positions);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public RotaryBackward gradients(Tensor dout) {
    return new RotaryBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    return operands().get("x").rawShape();
  }
}

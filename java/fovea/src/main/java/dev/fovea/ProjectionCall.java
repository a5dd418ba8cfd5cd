package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link SequenceProjection}: {@link SequenceProjection#call} takes x and
 * weight, this what else it reads. Where the result goes is [B, R, H, D].
 */
public final class ProjectionCall extends OperationCall<ProjectionCall> {
  ProjectionCall(SequenceProjection projection, Tensor x, Tensor weight, RunMemory memory) {
    super(
        projection.options(),
        new Bindings(projection.options().operation())
            .set("x", Objects.requireNonNull(x, "x"))
            .set("weight", Objects.requireNonNull(weight, "weight")),
        memory);
  }

  /**
   * Lengths of the sequences, [B], {@link DType#INT32}; what lies behind is padding and never read.
   * Null for the full length.
   */
  public ProjectionCall lengths(Tensor lengths) {
    return bind("lengths", lengths);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public ProjectionBackward gradients(Tensor dout) {
    return new ProjectionBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    Tensor x = operands().get("x");
    Tensor weight = operands().get("weight");
    if (x.rank() != 4 || weight.rank() < 2) {
      throw new IllegalArgumentException(
          "x is %s, weight %s, expected [B, S, H, D] and [H or 1, R, S]"
              .formatted(x.description(), weight.description()));
    }
    return new long[] {x.size(0), weight.size(weight.rank() - 2), x.size(2), x.size(3)};
  }
}

package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link CrossEntropy}: {@link CrossEntropy#call} takes logits and targets,
 * this what else it reads and writes. Where the losses go is [B, S], {@link DType#FLOAT32}.
 *
 * {@snippet :
 * CrossEntropyCall call = loss.call(logits, targets).out(out).lse(lse);
 * CrossEntropyBackward backward = call.gradients(dout).dlogits(dlogits); // dout: 1 / rows each
 * call.run();
 * backward.run();
 * }
 */
public final class CrossEntropyCall extends OperationCall<CrossEntropyCall> {
  CrossEntropyCall(CrossEntropy loss, Tensor logits, Tensor targets, RunMemory memory) {
    super(
        loss.options(),
        new Bindings(loss.options().operation())
            .set("logits", Objects.requireNonNull(logits, "logits"))
            .set("targets", Objects.requireNonNull(targets, "targets")),
        memory);
  }

  /** The weight of each class, [V], {@link DType#FLOAT32}. Null for 1. It has no gradient. */
  public CrossEntropyCall classWeight(Tensor classWeight) {
    return bind("class_weight", classWeight);
  }

  /**
   * Where the logarithms of the sums of exponentials go: [B, S], {@link DType#FLOAT32}, with a
   * contiguous last dimension. Null if they are not wanted; a backward pass needs them.
   */
  public CrossEntropyCall lse(Tensor lse) {
    return bind("lse", lse);
  }

  /**
   * The backward pass of this call's own forward: of its last run when the backward pass runs, with
   * the lse of that, which must be bound. It may be made and planned before.
   *
   * @param dout the gradient of out: its shape, {@link DType#FLOAT32}, with a contiguous last
   *     dimension
   */
  public CrossEntropyBackward gradients(Tensor dout) {
    return new CrossEntropyBackward(this, dout, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here. This
   * call need not run, nor have an lse of its own.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param lse what that forward wrote there
   */
  public CrossEntropyBackward gradients(Tensor dout, Tensor lse) {
    return new CrossEntropyBackward(
        this, dout, Objects.requireNonNull(lse, "lse"), new RunMemory());
  }

  @Override
  long[] outShape() {
    return operands().get("targets").rawShape();
  }
}

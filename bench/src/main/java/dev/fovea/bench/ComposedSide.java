package dev.fovea.bench;

import dev.fovea.AttentionPlan;
import dev.fovea.Tensor;
import java.util.List;

/**
 * Fovea's side of a composed problem.
 *
 * @param <P> the problem
 */
abstract class ComposedSide<P extends ComposedProblem> extends FoveaSide<P> {

  ComposedSide(P problem) {
    super(problem);
  }

  /** What {@link #composition} reads, in its order; gradients come in the same. */
  abstract List<Tensor> operands();

  /** The gradient of out; null for the forward pass. */
  abstract Tensor dout();

  /** The same from libtorch's operations. */
  abstract Composition composition();

  /** What the forward pass leaves for the backward pass, besides operands. */
  abstract List<Tensor> saved();

  /** Of all passes that {@link #bytes} is about; the one that is timed comes last. */
  abstract List<AttentionPlan> plans();

  @Override
  final AttentionPlan plan() {
    return plans().getLast();
  }

  /**
   * The most memory at once, operands left out: what is written, what the forward pass leaves for a
   * backward pass, and workspace and scratch of the pass that has more of them.
   */
  final long bytes(int threads) {
    long working = 0;
    for (AttentionPlan plan : plans()) {
      working = Math.max(working, plan.workspaceBytes() + threads * plan.scratchBytes());
    }
    return working + bytes(outputs()) + bytes(saved());
  }

  private static long bytes(List<Tensor> tensors) {
    return tensors.stream().mapToLong(tensor -> tensor.segment().byteSize()).sum();
  }
}

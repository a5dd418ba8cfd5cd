package dev.fovea.bench;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * A projection of libtorch's operations, in the fastest way there is: with one weight a product for
 * each sequence, of all heads, which copies nothing; else one for each head.
 */
final class ProjectionComposition implements Composition {

  private final ProjectionProblem problem;

  ProjectionComposition(ProjectionProblem problem) {
    this.problem = problem;
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor x = operands[0];
      Tensor weight = operands[1];
      if (!problem.shared()) {
        return weight.matmul(x.transpose(1, 2)).transpose(1, 2).retainReference();
      }
      long columns = x.size(2) * x.size(3);
      Tensor rows = weight.select(0, 0).matmul(x.reshape(x.size(0), x.size(1), columns));
      return rows.reshape(x.size(0), rows.size(1), x.size(2), x.size(3)).retainReference();
    }
  }
}

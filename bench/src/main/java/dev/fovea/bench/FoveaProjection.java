package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.ProjectionBackward;
import dev.fovea.ProjectionCall;
import dev.fovea.SequenceProjection;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.projection.CaseBuilder;
import dev.fovea.testkit.projection.CaseBuilder.Sharing;
import dev.fovea.testkit.projection.Operands;
import dev.fovea.testkit.projection.Oracle;
import java.util.Map;

/**
 * A projection over x [B, S, H, D] of N(0,1), with a weight that keeps the size of its elements.
 */
final class FoveaProjection extends BatchedSide<ProjectionProblem> {

  private final Tensor x;
  private final Tensor weight;

  /** Allocates the operands; of a backward pass also runs and verifies the forward pass. */
  FoveaProjection(ProjectionProblem problem) {
    super(problem);
    x = operand("x", random(rows(problem.sequence()), 1), rows(problem.sequence()));
    double scale = 1 / Math.sqrt(problem.sequence());
    weight = operand("weight", random(weights(problem.dtype()), 2, scale), weights(DType.FLOAT32));
    finish(rows(problem.rank()), rows(problem.rank()));
  }

  private Tensor rows(int count) {
    ProjectionProblem p = problem();
    return scope().allocate(p.dtype(), p.batch(), count, p.heads(), p.headDim());
  }

  private Tensor weights(DType dtype) {
    ProjectionProblem p = problem();
    return scope().allocate(dtype, p.shared() ? 1 : p.heads(), p.rank(), p.sequence());
  }

  @Override
  ProjectionCall forward(int threads) {
    return SequenceProjection.create().call(x, weight).out(out()).parallelism(threads);
  }

  @Override
  ProjectionBackward backward(int threads) {
    return forward(threads).gradients(dout()).dx(gradient("dx")).dweight(gradient("dweight"));
  }

  @Override
  int batch() {
    return problem().batch();
  }

  @Override
  boolean isShared(String operand) {
    return operand.equals("weight");
  }

  @Override
  Composition composition() {
    return new ProjectionComposition(problem());
  }

  @Override
  Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> data) {
    ProjectionProblem p = problem();
    CaseBuilder builder =
        new CaseBuilder()
            .dtype(p.dtype())
            .sizes(batch, p.sequence(), p.rank(), p.heads(), p.headDim())
            .sharing(p.shared() ? Sharing.ONE : Sharing.NONE);
    return Oracle.run(
        (pass == Pass.BACKWARD ? builder.backward(p.dtype()) : builder).build(),
        new Operands(data),
        Precision.CPU);
  }
}

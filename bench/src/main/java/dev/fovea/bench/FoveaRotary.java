package dev.fovea.bench;

import dev.fovea.RotaryBackward;
import dev.fovea.RotaryCall;
import dev.fovea.RotaryEmbedding;
import dev.fovea.RotaryTables;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.rotary.CaseBuilder;
import dev.fovea.testkit.rotary.Operands;
import dev.fovea.testkit.rotary.Oracle;
import java.util.Map;

/** A rotary position embedding of x [B, S, H, D] of N(0,1), by the tables of most models. */
final class FoveaRotary extends BatchedSide<RotaryProblem> {

  private final Tensor x;
  private final RotaryTables tables;

  /** Allocates the operands; of a backward pass also runs and verifies the forward pass. */
  FoveaRotary(RotaryProblem problem) {
    super(problem);
    tables = RotaryTables.of(scope(), problem.sequence(), problem.headDim(), RotaryTables.BASE);
    constant("cosines", tables.cosines());
    constant("sines", tables.sines());
    x = operand("x", random(rows(), 1), rows());
    finish(rows(), rows());
  }

  private Tensor rows() {
    RotaryProblem p = problem();
    return scope().allocate(p.dtype(), p.batch(), p.sequence(), p.heads(), p.headDim());
  }

  @Override
  RotaryCall forward(int threads) {
    RotaryEmbedding embedding =
        problem().interleaved() ? RotaryEmbedding.interleaved() : RotaryEmbedding.halfSplit();
    return embedding.call(x, tables).out(out()).parallelism(threads);
  }

  @Override
  RotaryBackward backward(int threads) {
    return forward(threads).gradients(dout()).dx(gradient("dx"));
  }

  @Override
  int batch() {
    return problem().batch();
  }

  @Override
  boolean isShared(String operand) {
    return operand.equals("cosines") || operand.equals("sines");
  }

  @Override
  Composition composition() {
    return new RotaryComposition(problem(), tables.cosines(), tables.sines());
  }

  @Override
  Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> data) {
    RotaryProblem p = problem();
    CaseBuilder builder =
        new CaseBuilder().dtype(p.dtype()).sizes(batch, p.sequence(), p.heads(), p.headDim());
    if (p.interleaved()) {
      builder.interleaved();
    }
    return Oracle.run(
        (pass == Pass.BACKWARD ? builder.backward(p.dtype()) : builder).build(),
        new Operands(data));
  }
}

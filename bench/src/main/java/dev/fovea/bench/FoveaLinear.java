package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.LinearAttention;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.LinearBackward;
import dev.fovea.LinearCall;
import dev.fovea.Tensor;
import dev.fovea.bench.LinearProblem.Form;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.linear.BackwardOracle;
import dev.fovea.testkit.linear.CaseBuilder;
import dev.fovea.testkit.linear.LinearCase;
import dev.fovea.testkit.linear.Operands;
import dev.fovea.testkit.linear.Oracle;
import java.util.List;
import java.util.Map;

/** Linear attention over operands [B, S, H, D] of N(0,1). */
final class FoveaLinear extends BatchedSide<LinearProblem> {

  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor decay; // of retention, else null
  private final Tensor beta; // of the delta rule, else null

  /** Allocates the operands; of a backward pass also runs and verifies the forward pass. */
  FoveaLinear(LinearProblem problem) {
    super(problem);
    // As vectors of length 1, with which the delta rule does not grow.
    double scale = isNormalised() ? 1 : 1 / Math.sqrt(problem.headDim());
    query = operand("query", random(rows(), 1, scale), rows());
    key = operand("key", random(rows(), 2, scale), rows());
    value = operand("value", random(rows(), 3), rows());
    decay =
        problem.form() == Form.RETENTION
            ? constant(
                "decay",
                scope()
                    .allocate(DType.FLOAT32, problem.heads())
                    .copyFrom(LinearComposition.decays(problem.heads())))
            : null;
    beta =
        problem.form() == Form.DELTA
            ? operand("beta", betas(numbers(problem.dtype())), numbers(DType.FLOAT32))
            : null;
    finish(rows(), rows());
  }

  private Tensor rows() {
    LinearProblem p = problem();
    return scope().allocate(p.dtype(), p.batch(), p.sequence(), p.heads(), p.headDim());
  }

  private Tensor numbers(DType dtype) {
    LinearProblem p = problem();
    return scope().allocate(dtype, p.batch(), p.sequence(), p.heads());
  }

  /** Within (0, 1), as models compute them: beyond, states and bounds of their errors grow. */
  private static Tensor betas(Tensor betas) {
    float[] logits = random(betas, 4).toFloatArray();
    for (int i = 0; i < logits.length; i++) {
      logits[i] = Rounding.round(betas.dtype(), (float) (1 / (1 + Math.exp(-logits[i]))));
    }
    return betas.copyFrom(logits);
  }

  private boolean isNormalised() {
    return problem().form() == Form.FULL || problem().form() == Form.CAUSAL;
  }

  @Override
  LinearCall forward(int threads) {
    LinearAttention attention =
        switch (problem().form()) {
          case FULL -> LinearAttention.create();
          case CAUSAL -> LinearAttention.builder().causal(true).build();
          case RETENTION, DELTA -> LinearAttention.retention();
        };
    return attention
        .call(query, key, value)
        .decay(decay)
        .beta(beta)
        .out(out())
        .parallelism(threads);
  }

  @Override
  LinearBackward backward(int threads) {
    return forward(threads)
        .gradients(dout(), out())
        .dquery(gradient("dquery"))
        .dkey(gradient("dkey"))
        .dvalue(gradient("dvalue"))
        .dbeta(gradient("dbeta"));
  }

  @Override
  int batch() {
    return problem().batch();
  }

  @Override
  boolean isShared(String operand) {
    return operand.equals("decay");
  }

  @Override
  Composition composition() {
    return new LinearComposition(problem());
  }

  @Override
  List<Tensor> saved() {
    return isBackward() ? List.of(out()) : List.of();
  }

  @Override
  Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> data) {
    LinearProblem p = problem();
    CaseBuilder builder =
        new CaseBuilder()
            .dtype(p.dtype())
            .lengths(batch, p.sequence(), p.sequence())
            .heads(p.heads(), p.heads())
            .headDim(p.headDim(), p.headDim())
            .causal(p.form() != Form.FULL)
            .features(
                isNormalised() ? FeatureMap.ELU_PLUS_ONE : FeatureMap.IDENTITY, isNormalised())
            .rules(decay == null ? null : DType.FLOAT32, null, beta == null ? null : p.dtype());
    if (decay != null) {
      builder.sharedDecay();
    }
    if (pass == Pass.FORWARD) {
      return Oracle.run(builder.build(), new Operands(data));
    }
    LinearCase c = builder.backward(p.dtype()).build();
    return BackwardOracle.run(c, new Operands(data));
  }
}

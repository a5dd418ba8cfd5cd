package dev.fovea.bench;

import dev.fovea.Tensor;
import dev.fovea.bench.OracleRows.RowCheck;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.pairs.CaseBuilder;
import dev.fovea.testkit.pairs.Operands;
import dev.fovea.testkit.pairs.Oracle;
import dev.fovea.testkit.pairs.PairCase;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * {@link OracleRows} of additive attention, and as {@link OracleGradients} those of its gradients,
 * in the first and the last sequence. dweight and dbias are sums over all pairs of a head, and are
 * compared where the oracle takes seconds for them; elsewhere with the peer's alone.
 */
final class AdditiveOracle {

  /** Of one head: some five seconds. */
  private static final double MOST_TANHS = 1 << 26;

  private AdditiveOracle() {}

  /** Consecutive sequences, and consecutive queries and keys of one head of them. */
  private record Part(
      int firstSequence,
      int sequences,
      int head,
      int firstQuery,
      int queries,
      int firstKey,
      int keys) {

    float[] queries(Tensor tensor) {
      return rows(tensor, firstQuery, queries);
    }

    float[] keys(Tensor tensor) {
      return rows(tensor, firstKey, keys);
    }

    /** Of a tensor [B, S, H, D]. */
    private float[] rows(Tensor tensor, int first, int count) {
      return tensor
          .slice(0, firstSequence, firstSequence + sequences)
          .select(2, head)
          .slice(1, first, first + count)
          .toFloatArray();
    }

    /** Of a tensor [H, A]. */
    float[] perHead(Tensor tensor) {
      return tensor.select(0, head).toFloatArray();
    }

    /** Of a tensor [B, H, Sq]. */
    float[] lse(Tensor lse) {
      return lse.slice(0, firstSequence, firstSequence + sequences)
          .select(1, head)
          .slice(1, firstQuery, firstQuery + queries)
          .toFloatArray();
    }
  }

  /**
   * Verifies {@code additive.out()}.
   *
   * @return the largest error in units of what is allowed
   */
  static double verify(FoveaAdditive additive) {
    return ofQueries(
        additive.problem(),
        part -> {
          CaseBuilder builder = builder(additive.problem(), part).outputs(false, false);
          Operands data = new Operands(operands(additive, part));
          Expected expected = Oracle.run(builder.build(), data).get("out");
          return compare(additive, "out", part.queries(additive.out()), part, expected);
        });
  }

  /** The largest error of some queries, each with all keys. */
  private static double ofQueries(AdditiveProblem problem, ToDoubleFunction<Part> error) {
    double worst = 0;
    for (int b : OracleRows.ends(problem.batch())) {
      RowCheck check =
          (head, row) -> error.applyAsDouble(new Part(b, 1, head, row, 1, 0, problem.keys()));
      worst = Math.max(worst, OracleRows.each(problem.heads(), problem.queries(), check));
    }
    return worst;
  }

  /** The largest error of some keys, each with all queries. */
  private static double ofKeys(AdditiveProblem problem, ToDoubleFunction<Part> error) {
    double worst = 0;
    for (int b : OracleRows.ends(problem.batch())) {
      RowCheck check =
          (head, row) -> error.applyAsDouble(new Part(b, 1, head, 0, problem.queries(), row, 1));
      worst = Math.max(worst, OracleRows.each(problem.heads(), problem.keys(), check));
    }
    return worst;
  }

  /**
   * Verifies the gradients.
   *
   * @return the largest error in units of what is allowed
   */
  static double verifyGradients(FoveaAdditiveBackward backward) {
    double ofQueries =
        ofQueries(
            backward.problem(),
            part -> {
              Expected expected = gradients(backward, part).get("dquery");
              float[] got = part.queries(backward.outputs().get(0));
              return compare(backward, "dquery", got, part, expected);
            });
    double ofKeys =
        ofKeys(
            backward.problem(),
            part -> {
              Map<String, Expected> expected = gradients(backward, part);
              float[] dkey = part.keys(backward.outputs().get(1));
              float[] dvalue = part.keys(backward.outputs().get(2));
              return Math.max(
                  compare(backward, "dkey", dkey, part, expected.get("dkey")),
                  compare(backward, "dvalue", dvalue, part, expected.get("dvalue")));
            });
    return Math.max(Math.max(ofQueries, ofKeys), verifySums(backward));
  }

  private static double verifySums(FoveaAdditiveBackward backward) {
    AdditiveProblem problem = backward.problem();
    if (problem.tanhs() / problem.heads() > MOST_TANHS) {
      return 0;
    }
    double worst = 0;
    for (int head : OracleRows.ends(problem.heads())) {
      Part part = new Part(0, problem.batch(), head, 0, problem.queries(), 0, problem.keys());
      Map<String, Expected> expected = gradients(backward, part);
      float[] dweight = part.perHead(backward.outputs().get(3));
      float[] dbias = part.perHead(backward.outputs().get(4));
      worst = Math.max(worst, compare(backward, "dweight", dweight, part, expected.get("dweight")));
      worst = Math.max(worst, compare(backward, "dbias", dbias, part, expected.get("dbias")));
    }
    return worst;
  }

  /** Those of queries and keys that all see each other, and nothing of the others. */
  private static Map<String, Expected> gradients(FoveaAdditiveBackward backward, Part part) {
    AdditiveProblem problem = backward.problem();
    Map<String, float[]> all = operands(backward, part);
    all.put("out", part.queries(backward.out()));
    all.put("lse", part.lse(backward.lse()));
    all.put("dout", part.queries(backward.dout()));
    PairCase c = builder(problem, part).backward(problem.dtype()).build();
    return c.expected(new Operands(all));
  }

  private static Map<String, float[]> operands(FoveaAdditive additive, Part part) {
    Map<String, float[]> all = new HashMap<>();
    all.put("query", part.queries(additive.query()));
    all.put("key", part.keys(additive.key()));
    all.put("value", part.keys(additive.value()));
    all.put("weight", part.perHead(additive.weight()));
    all.put("bias", part.perHead(additive.bias()));
    return all;
  }

  private static CaseBuilder builder(AdditiveProblem problem, Part part) {
    return new CaseBuilder(PairCase.Kind.ADDITIVE)
        .dtype(problem.dtype())
        .lengths(part.sequences, part.queries, part.keys)
        .headDim(problem.headDim(), problem.valueHeadDim());
  }

  private static double compare(
      FoveaAdditive additive, String name, float[] got, Part part, Expected expected) {
    String what = "%s: %s of %s".formatted(additive.problem(), name, part);
    return OracleRows.compare(what, got, expected);
  }
}

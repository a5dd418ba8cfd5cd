package dev.fovea.bench;

import static dev.fovea.bench.OracleRows.rows;

import dev.fovea.testkit.attention.BackwardBuilder;
import dev.fovea.testkit.attention.BackwardCase;
import dev.fovea.testkit.attention.BackwardOperands;
import dev.fovea.testkit.attention.BackwardOracle;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Precision;

/**
 * {@link OracleRows} for gradients. A row of dquery is a case of one query over the keys that it
 * sees, a row of dkey and dvalue one of a single key under the queries that see it: out and lse are
 * operands of a backward pass, so that neither needs what it leaves out.
 */
final class OracleGradients {

  private OracleGradients() {}

  /**
   * Verifies dquery, dkey and dvalue.
   *
   * @return the largest error in units of what is allowed
   */
  static double verify(FoveaBackward backward) {
    AttentionProblem problem = backward.problem();
    int sequence = problem.sequence();
    return OracleRows.each(
        problem.heads(),
        sequence,
        (head, row) -> {
          int keys = problem.causal() ? row + 1 : sequence;
          Gradients ofQuery = gradients(backward, head, row, row + 1, 0, keys);
          int first = problem.causal() ? row : 0;
          Gradients ofKey = gradients(backward, head, first, sequence, row, row + 1);
          return Math.max(
              OracleRows.compare(problem, "dquery", backward.dquery(), head, row, ofQuery.dquery()),
              Math.max(
                  OracleRows.compare(problem, "dkey", backward.dkey(), head, row, ofKey.dkey()),
                  OracleRows.compare(
                      problem, "dvalue", backward.dvalue(), head, row, ofKey.dvalue())));
        });
  }

  /** Those of queries and keys that all see each other, and nothing of the others. */
  private static Gradients gradients(
      FoveaBackward backward, int head, int firstQuery, int endQuery, int firstKey, int endKey) {
    BackwardCase c =
        new BackwardBuilder(
                OracleRows.part(backward.problem(), endQuery - firstQuery, endKey - firstKey))
            .build();
    Operands forward =
        new Operands(
            rows(backward.query(), head, firstQuery, endQuery),
            rows(backward.key(), head, firstKey, endKey),
            rows(backward.value(), head, firstKey, endKey),
            null,
            null,
            null);
    BackwardOperands data =
        new BackwardOperands(
            forward,
            rows(backward.dout(), head, firstQuery, endQuery),
            rows(backward.out(), head, firstQuery, endQuery),
            backward
                .lse()
                .select(0, 0)
                .select(0, head)
                .slice(0, firstQuery, endQuery)
                .toFloatArray(),
            null,
            null);
    return BackwardOracle.run(c, data, Precision.of("cpu"));
  }
}

package dev.fovea.bench;

import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.attention.AttentionCase;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Precision;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Compares rows of an output with the float64 oracle: the first and the last, those around powers
 * of two, and some at random, in the first and the last head. All rows would take the oracle
 * minutes; the rest is compared with the peer's output.
 */
final class OracleRows {

  private static final int RANDOM_ROWS = 6;

  /** Compares one row and gives its largest error in units of what is allowed. */
  @FunctionalInterface
  interface RowCheck {
    double verify(int head, int row);
  }

  private OracleRows() {}

  /**
   * Verifies {@code attention.out()}.
   *
   * @return the largest error in units of what is allowed
   */
  static double verify(FoveaAttention attention) {
    AttentionProblem problem = attention.problem();
    return each(problem.heads(), problem.sequence(), (head, row) -> verify(attention, head, row));
  }

  /** The largest of what {@code check} gives for the rows that are compared. */
  static double each(int heads, int sequence, RowCheck check) {
    double worst = 0;
    for (int head : ends(heads)) {
      for (int row : rows(sequence)) {
        worst = Math.max(worst, check.verify(head, row));
      }
    }
    return worst;
  }

  /** The first and the last of {@code count}. */
  static Set<Integer> ends(int count) {
    return new TreeSet<>(List.of(0, count - 1));
  }

  private static Set<Integer> rows(int sequence) {
    TreeSet<Integer> rows = new TreeSet<>();
    for (int power = 1; power < sequence; power *= 4) {
      rows.add(power - 1);
      rows.add(power);
    }
    rows.add(sequence - 1);
    Gaussian random = new Gaussian(sequence);
    for (int i = 0; i < RANDOM_ROWS; i++) {
      rows.add(random.nextInt(sequence));
    }
    return rows;
  }

  /** One row is a case of one query, over the keys that it sees. */
  private static double verify(FoveaAttention attention, int head, int row) {
    AttentionProblem problem = attention.problem();
    int keys = problem.causal() ? row + 1 : problem.sequence();
    AttentionCase c = part(problem, 1, keys).outputs(false, false).build();
    Operands data =
        new Operands(
            rows(attention.query(), head, row, row + 1),
            rows(attention.key(), head, 0, keys),
            rows(attention.value(), head, 0, keys),
            null,
            null,
            null);
    Expected expected = Oracle.run(c, data, Precision.of("cpu")).out();
    return compare(problem, "out", attention.out(), head, row, expected);
  }

  /** A case of some queries and keys of one head, all of which see each other. */
  static CaseBuilder part(AttentionProblem problem, int queries, int keys) {
    return new CaseBuilder()
        .dtype(problem.dtype())
        .lengths(1, queries, keys)
        .headDim(problem.headDim());
  }

  /** Compares one row of an output; gives its largest error in units of what is allowed. */
  static double compare(
      AttentionProblem problem, String name, Tensor output, int head, int row, Expected expected) {
    String what = "%s: %s of head %d, row %d".formatted(problem, name, head, row);
    return compare(what, rows(output, head, row, row + 1), expected);
  }

  /**
   * Compares elements of an output; gives the largest error in units of what is allowed. Every one
   * must be held to something: what is timed has bounds.
   */
  static double compare(String what, float[] got, Expected expected) {
    double worst = 0;
    for (int i = 0; i < got.length; i++) {
      if (expected.state(i) != Expected.COMPARE) {
        throw new WrongOutputException("%s: nothing is known of element %d".formatted(what, i));
      }
      double error = Math.abs(got[i] - expected.value(i));
      if (!(error <= expected.allowed(i))) {
        throw new WrongOutputException(
            "%s: element %d is %s, exact %s, allowed error %.3g"
                .formatted(what, i, got[i], expected.value(i), expected.allowed(i)));
      }
      worst = error == 0 ? worst : Math.max(worst, error / expected.allowed(i)); // both may be 0
    }
    return worst;
  }

  /** Rows of one head, of a tensor [1, S, H, D]. */
  static float[] rows(Tensor tensor, int head, int from, int to) {
    return tensor.select(0, 0).select(1, head).slice(0, from, to).toFloatArray();
  }
}

package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.TopWeights;
import dev.fovea.testkit.pairs.PairCase.Content;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntToDoubleFunction;

/**
 * Naive attention in float64 over the exact values of the operands, with the error that a right
 * kernel may make. Nothing here is factored, tiled, rescaled or shared with any backend.
 *
 * <pre>
 *   p_ij = exp(x_ij - lse_i);  out_i = sum_j dropout(p_ij) v_j
 * </pre>
 *
 * <p>Scores x and e_ij, what they err by, are those of the case's {@link ScoreRow}. Bounds, with u
 * = 2^-24 and c = 4e-7, some seven float32 roundings:
 *
 * <ul>
 *   <li>A weight before it is normalised is exp(x - max): the difference and its product with
 *       log2(e) round, by 2 u |x - max|, rescaling by later maxima included, whose differences add
 *       up to that. With exp's own c a weight is off by a factor of 1 + d_j, where |d_j| is at most
 *       f_j = exp(e_ij + 2 u |x_ij - max| + c) - 1.
 *   <li>out = sum_j w_j (1 + d_j) v_j / (1 + sum_j p_j d_j), with w_j = r_ij p_j after dropout. So
 *       it is off by sum_j f_j |w_j v_j - p_j out| / (1 - H), H = sum_j p_j f_j: what all weights
 *       have in common cancels. Products and the division add c sum_j w_j |v_j|.
 *   <li>Sums over n keys, in out and in the denominator: 2 sqrt(n) u of the sum of sizes each,
 *       constant data n u; see {@link dev.fovea.testkit.attention.Oracle}.
 *   <li>lse: H / (1 - H), the sum's error, and c (1 + |lse|) of its own arithmetic; at least the
 *       specification's 1e-5 max(1, |lse|). weights: f_j, lse's error without that, and 2 u (1 +
 *       |ln p|) of the difference inside exp.
 *   <li>A linear fit multiplies weights in out: {@link LinearFit}.
 *   <li>Inputs are taken as they are. Outputs round once, from what was computed; what is not a
 *       normal float32 may be flushed.
 * </ul>
 */
public final class Oracle {

  /** Relative error of some seven float32 roundings. */
  static final double ARITHMETIC = 4e-7;

  /** exp may flush what is not a normal float32. */
  static final double FLUSHED = 0x1p-125;

  private final PairCase c;
  private final Geometry g;
  private final int[] cuQ;
  private final ScoreRow row;
  private final Expected out;
  private final Expected lse; // or null
  private final Expected weights; // or null
  private final double dropFactor;
  private final double[] p;
  private final double[] w;
  private final double[] r; // what dropout multiplies by
  private LinearFit fit; // of the row, or null
  private final double[] factors; // f
  private double max; // of the scores
  private double rowLse;
  private double growth; // H
  private double rowLseError;

  private Oracle(PairCase c, Operands data) {
    this.c = c;
    g = c.geometry();
    cuQ = g.cuQ();
    row = c.scoreRow(data);
    out = new Expected(c.options().outDType(), c.layout("out").elements());
    lse = c.has("lse") ? new Expected(DType.FLOAT32, c.layout("lse").elements()) : null;
    weights = c.has("weights") ? new Expected(DType.FLOAT32, c.layout("weights").elements()) : null;
    dropFactor = c.options().dropFactor();
    p = new double[g.keyLength()];
    w = new double[g.keyLength()];
    r = new double[g.keyLength()];
    factors = new double[g.keyLength()];
  }

  /** Computes the forward pass of a case: out, and lse and weights where it has them. */
  public static Map<String, Expected> run(PairCase c, Operands data) {
    return new Oracle(c, data).run();
  }

  private Map<String, Expected> run() {
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads(); kv++) {
        boolean poisoned = row.load(b, kv);
        for (int h = kv * g.group(); h < (kv + 1) * g.group(); h++) {
          for (int i = 0; i < g.lenQ(b); i++) {
            row(b, h, i, poisoned);
          }
          for (int i = g.lenQ(b); i < g.queryLength() && !g.packed(); i++) {
            padding(b, h, i);
          }
        }
      }
    }
    Map<String, Expected> all = new LinkedHashMap<>();
    all.put("out", out);
    if (lse != null) {
      all.put("lse", lse);
    }
    if (weights != null) {
      all.put("weights", weights);
    }
    if (c.has("top_keys")) {
      all.put("top_weights", TopWeights.written(c.layout("top_weights")));
      all.put("top_keys", TopWeights.written(c.layout("top_keys")));
    }
    return all;
  }

  /** A query row behind its sequence: out = 0, lse = -inf, weights = 0. */
  private void padding(int b, int h, int i) {
    int at = c.layout("out").at(b, i, h);
    for (int d = 0; d < g.valueHeadDim(); d++) {
      out.expect(at + d, 0, 0);
    }
    if (lse != null) {
      int index = g.lseIndex(c.layout("lse"), cuQ, b, h, i);
      lse.expect(index, Double.NEGATIVE_INFINITY, 0);
    }
    if (weights != null) {
      expectZero(weightsRow(b, h, i), 0);
    }
  }

  private void expectZero(int at, int from) {
    for (int j = from; j < g.keyLength(); j++) {
      weights.expect(at + j, 0, 0);
    }
  }

  private void row(int b, int h, int i, boolean poisoned) {
    row.compute(h, i);
    softmax();
    boolean[] keep = row.keep(h, i);
    for (int j = 0; j < row.count(); j++) {
      r[j] = c.options().dropout() == 0 ? 1 : keep[j] ? dropFactor : 0;
      w[j] = r[j] * p[j];
    }
    fit = row.count() == 0 ? null : row.fit();
    if (fit != null) {
      fit.compute(p, factors);
    }
    // A NaN that this row does not see may or may not have been multiplied by zero.
    boolean free = poisoned && !row.sawNaN() || fit != null && fit.isVague();
    int at = g.rowIndex(c.layout("out"), cuQ, b, i, h);
    for (int d = 0; d < g.valueHeadDim(); d++) {
      expectOut(at + d, d, free);
    }
    boolean scoresFree = poisoned && !row.sawNaN() && c.content() == Content.NAN_IN_KEY;
    if (lse != null) {
      expectLse(g.lseIndex(c.layout("lse"), cuQ, b, h, i), scoresFree);
    }
    if (weights != null) {
      expectWeights(weightsRow(b, h, i), g.lenK(b), scoresFree);
    }
  }

  private void softmax() {
    max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < row.count(); j++) {
      max = Math.max(max, row.score(j));
    }
    double sum = 0;
    for (int j = 0; j < row.count(); j++) {
      p[j] = Math.exp(row.score(j) - max);
      sum += p[j];
    }
    rowLse = row.count() == 0 ? max : max + Math.log(sum);
    growth = 0;
    for (int j = 0; j < row.count(); j++) {
      p[j] /= sum;
      factors[j] = Math.expm1(exponent(j) + row.error(j));
      growth += p[j] * factors[j];
    }
    rowLseError =
        growth / (1 - growth) + row.summation(row.count()) + ARITHMETIC * (1 + Math.abs(rowLse));
  }

  /** Of a score that the last maximum is taken from, as it is rounded, and of exp. */
  private double exponent(int j) {
    return 2 * ScoreRow.FLOAT_UNIT * (max - row.score(j)) + ARITHMETIC;
  }

  private void expectFit(int index, int d, boolean free) {
    double exact = 0;
    double absolute = 0;
    double plain = 0;
    for (int j = 0; j < row.count(); j++) {
      double size = Math.abs(fit.factor(j)) + fit.factorError(j);
      exact += w[j] * fit.factor(j) * row.value(j, d);
      absolute += size * Math.abs(w[j] * row.value(j, d));
      plain += size * Math.abs(row.value(j, d));
    }
    if (free) {
      out.free(index, exact);
      return;
    }
    IntToDoubleFunction value = j -> r[j] * row.value(j, d);
    double arithmetic =
        fit.outError(value, fit.plane(value, j -> 0), j -> 2 * exponent(j))
            + ARITHMETIC * absolute
            + row.summation(row.count()) * (absolute + Math.abs(exact))
            + FLUSHED * dropFactor * plain;
    out.expectRounded(index, exact, arithmetic);
  }

  private void expectOut(int index, int d, boolean free) {
    if (fit != null) {
      expectFit(index, d, free);
      return;
    }
    double exact = 0;
    double absolute = 0;
    double plain = 0;
    for (int j = 0; j < row.count(); j++) {
      double v = row.value(j, d);
      exact += w[j] * v;
      absolute += w[j] * Math.abs(v);
      plain += Math.abs(v);
    }
    if (free) {
      out.free(index, exact);
      return;
    }
    double moved = 0;
    for (int j = 0; j < row.count(); j++) {
      moved += factors[j] * Math.abs(w[j] * row.value(j, d) - p[j] * exact);
    }
    double arithmetic =
        moved / (1 - growth)
            + ARITHMETIC * absolute
            + row.summation(row.count()) * (absolute + Math.abs(exact))
            + FLUSHED * dropFactor * plain;
    out.expectRounded(index, exact, arithmetic);
  }

  private int weightsRow(int b, int h, int i) {
    Layout layout = c.layout("weights");
    return g.packed() ? layout.at(0, h, cuQ[b] + i) : layout.at(b, h, i);
  }

  private void expectLse(int index, boolean free) {
    if (free) {
      lse.free(index, rowLse);
      return;
    }
    double error = Math.max(1e-5 * Math.max(1, Math.abs(rowLse)), rowLseError);
    lse.expect(index, rowLse, Double.isInfinite(rowLse) ? 0 : error);
  }

  private void expectWeights(int at, int length, boolean free) {
    if (free) {
      weights.set(at, at + length, Expected.FREE);
      expectZero(at, length);
      return;
    }
    for (int j = 0; j < length; j++) {
      int seen = j - row.begin();
      if (seen >= 0 && seen < row.count()) {
        double relative =
            factors[seen]
                + rowLseError
                + 2 * ScoreRow.FLOAT_UNIT * (1 + Math.abs(Math.log(p[seen])));
        double error = p[seen] == 0 ? FLUSHED : p[seen] * relative + FLUSHED;
        weights.expect(at + j, p[seen], error);
      } else if (Double.isNaN(rowLse)) {
        // exp(-inf - NaN): NaN by the formula, 0 by common sense.
        weights.set(at + j, at + j + 1, Expected.FREE);
      } else {
        weights.expect(at + j, 0, 0);
      }
    }
    expectZero(at, length);
  }
}

package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.testkit.AttentionCase.Content;
import java.util.Arrays;
import java.util.List;

/**
 * Naive attention in float64 over the exact values of the operands, with the error that a right
 * kernel may make. Nothing here is tiled, rescaled or shared with any backend.
 *
 * <p>Definition and bounds: the project's specification (semantics.md). Additions to its bounds,
 * with c = 4e-7, its constant for float32 arithmetic:
 *
 * <ul>
 *   <li>A bias b_ij is a float32 sum away from the score, so the score is off by up to c |b_ij|
 *       more. An error dx_j of the scores moves out_i by sum_j w_j dx_j v_j - out_i sum_j p_j dx_j,
 *       hence the terms c sum_j w_j |b_j| |v_j| + c |ref| (sum_j p_j |b_j| + p_sink |sink|).
 *   <li>A float32 sum over n keys, in out and in the denominator, errs by at most 2^-24 times the
 *       partial sum at every step. With signs at random that is a standard deviation of at most
 *       2^-24 sqrt(n/3) times the sum of absolute values; 2 sqrt(n) 2^-24 of it is allowed, 3.5
 *       standard deviations beside what c leaves (Higham, Mary, SIAM J. Sci. Comput. 41, 2019).
 *       Constant data err the same way at every step: n 2^-24, and D 2^-24 in place of c for the
 *       scores, where lse or a sink sees what softmax alone cancels (Higham, Accuracy and Stability
 *       of Numerical Algorithms, sec. 4.2).
 *   <li>A product of outliers keeps the partial sum of a score at its size, so that each of the D
 *       steps rounds like a step of the sums above: 2 sqrt(D) 2^-24 in place of c there.
 *   <li>Below the smallest normal number of the output's dtype rounding errs by half the smallest
 *       subnormal, not by u |ref|. Weights rounded to float16 do so too, relative to the largest.
 *   <li>weights: p_ij is exp(x_ij - lse_i), so its relative error is the sum of the errors of x_ij
 *       and lse_i and that of the difference.
 *   <li>What products in TF32 add: see {@link RoundedFactors}.
 *   <li>lse is held to the specification's 1e-5 max(1, max |lse|) row by row, with the row's own
 *       |lse|, as long as the row's float32 error is not larger.
 * </ul>
 */
public final class Oracle {

  /** Room above a unit roundoff for second-order terms. */
  static final double SLACK = 1.02;

  /** exp may flush what is not a normal float32. */
  static final double FLUSHED = 0x1p-125;

  private final AttentionCase c;
  private final Operands data;
  private final Precision precision;
  private final Geometry geometry;
  private final Options options;
  private final int[] cuQ;
  private final int[] cuK;
  private final Expected out;
  private final Expected lse;
  private final Expected weights;
  private final double perScore;
  private final double dropFactor;
  private final OracleHead head;
  private final RoundedFactors rounded; // null: products take their factors as they are
  private OracleRow row;

  /** Expected outputs; lse and weights are null where the case does not ask for them. */
  public record Outputs(Expected out, Expected lse, Expected weights) {

    List<Expected> all() {
      return Arrays.asList(out, lse, weights);
    }
  }

  private Oracle(AttentionCase c, Operands data, Precision precision) {
    this.c = c;
    this.data = data;
    this.precision = precision;
    geometry = c.geometry();
    options = c.options();
    cuQ = geometry.cuQ();
    cuK = geometry.cuK();
    out = new Expected(options.outDType(), c.layouts().out().elements());
    lse = options.lse() ? new Expected(DType.FLOAT32, c.layouts().lse().elements()) : null;
    weights =
        options.weights() ? new Expected(DType.FLOAT32, c.layouts().weights().elements()) : null;
    double factorUnit = precision.factorUnit(options);
    rounded = factorUnit > 0 ? new RoundedFactors(factorUnit, c) : null;
    head = new OracleHead(c, data, rounded);
    perScore = head.perProduct(geometry.headDim());
    dropFactor = OracleRow.dropFactor(options);
  }

  /** Computes a case. */
  public static Outputs run(AttentionCase c, Operands data, Precision precision) {
    return new Oracle(c, data, precision).run();
  }

  private Outputs run() {
    for (int b = 0; b < geometry.batch(); b++) {
      for (int kv = 0; kv < geometry.keyHeads(); kv++) {
        boolean poisoned = head.load(b, kv);
        for (int h = kv * geometry.group(); h < (kv + 1) * geometry.group(); h++) {
          for (int i = 0; i < geometry.lenQ(b); i++) {
            row(b, h, i, poisoned);
          }
          if (!geometry.packed()) {
            for (int i = geometry.lenQ(b); i < geometry.queryLength(); i++) {
              padding(b, h, i);
            }
          }
        }
      }
    }
    return new Outputs(out, lse, weights);
  }

  /** A query row behind its sequence: out = 0, lse = -inf, weights = 0. */
  private void padding(int b, int h, int i) {
    int at = c.layouts().out().at(b, i, h);
    for (int d = 0; d < geometry.valueHeadDim(); d++) {
      out.expect(at + d, 0, 0);
    }
    if (lse != null) {
      lse.expect(c.lseIndex(cuQ, b, h, i), Double.NEGATIVE_INFINITY, 0);
    }
    if (weights != null) {
      expectZero(weightsRow(b, h, i), 0);
    }
  }

  /** Weights of keys that are padding. */
  private void expectZero(int at, int begin) {
    for (int j = begin; j < geometry.keyLength(); j++) {
      weights.expect(at + j, 0, 0);
    }
  }

  private void row(int b, int h, int i, boolean poisoned) {
    row = head.scores(h, i);
    int begin = head.begin();
    double[] values = head.values();
    double sink = data.sinks() == null ? Double.NEGATIVE_INFINITY : data.sinks()[h];
    row.softmax(sink);
    head.drop(h, i);
    row.product(values, begin, geometry.valueHeadDim());
    if (rounded != null) {
      rounded.weigh(row, values, begin);
    }
    int outRow = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
    // A NaN that this row does not see may or may not have been multiplied by zero.
    boolean free = poisoned && !row.sawNaN(values, begin, geometry.valueHeadDim());
    for (int d = 0; d < geometry.valueHeadDim(); d++) {
      if (free) {
        out.free(outRow + d, row.out(d));
      } else {
        expectOut(outRow + d, d);
      }
    }
    boolean scoresFree = free && c.content() == Content.NAN_IN_KEY;
    if (lse != null) {
      expectLse(c.lseIndex(cuQ, b, h, i), scoresFree);
    }
    if (weights != null) {
      expectWeights(weightsRow(b, h, i), begin, geometry.lenK(b), scoresFree);
    }
  }

  private void expectOut(int index, int d) {
    double exact = row.out(d);
    if (Double.isNaN(exact)) {
      out.expect(index, exact, 0);
      return;
    }
    DType outType = options.outDType();
    double unit = Rounding.unit(outType);
    double arithmetic =
        perScore
                * ((1 + row.largestScore()) * row.absolute(d)
                    + row.biasedAbsolute(d)
                    + Math.abs(exact) * row.biasError())
            + head.summation(row.count()) * (row.absolute(d) + Math.abs(exact))
            + FLUSHED * dropFactor * row.plain(d);
    double output = SLACK * unit * Math.abs(exact);
    if (exact != 0) {
      output = Math.max(output, Rounding.subnormalHalf(outType));
    }
    double weight = 0;
    double weightVariance = 0;
    double weightUnit = precision.weightUnit(options);
    if (weightUnit > 0) {
      weight = SLACK * weightUnit * row.absolute(d);
      weightVariance = weightUnit * weightUnit / 6 * row.squares(d);
      if (options.dtype() == DType.FLOAT16) {
        weight +=
            Rounding.subnormalHalf(DType.FLOAT16) * dropFactor * row.largestWeight() * row.plain(d);
      }
    }
    if (rounded != null) {
      weight = SLACK * (rounded.scores(d) + rounded.product(row, d));
      weightVariance = rounded.variance(row, d);
    }
    out.expect(index, exact, weight + output + arithmetic);
    double rounding = Rounding.round(outType, exact) - exact;
    out.count(weightVariance, unit * unit / 6 * exact * exact, rounding, arithmetic);
  }

  private int weightsRow(int b, int h, int i) {
    Layout layout = c.layouts().weights();
    return geometry.packed() ? layout.at(0, h, cuQ[b] + i) : layout.at(b, h, i);
  }

  private void expectLse(int index, boolean free) {
    double exact = row.lse();
    if (free) {
      lse.free(index, exact);
      return;
    }
    double moved = rounded == null ? 0 : rounded.lse();
    double error =
        Double.isInfinite(exact)
            ? 0
            : Math.max(1e-5 * Math.max(1, Math.abs(exact)), lseArithmetic() + moved);
    lse.expect(index, exact, error);
  }

  private double lseArithmetic() {
    return perScore * (1 + row.largestScore() + row.biasError()) + head.summation(row.count());
  }

  private void expectWeights(int at, int begin, int length, boolean free) {
    if (free) {
      weights.set(at, at + length, Expected.FREE);
    } else {
      double common = lseArithmetic();
      for (int j = 0; j < length; j++) {
        boolean seen = j >= begin && j < begin + row.count();
        if (!seen && Double.isNaN(row.lse())) {
          // exp(-inf - NaN): NaN by the formula, 0 by common sense.
          weights.set(at + j, at + j + 1, Expected.FREE);
          continue;
        }
        double p = seen ? row.weight(j - begin) : 0;
        double error = 0;
        if (p > 0) {
          // x_ij's own error, lse's, and two roundings of their difference inside exp.
          double relative = common + row.error(j - begin) * perScore;
          if (rounded != null) {
            relative += rounded.weight(j - begin);
          }
          error = p * (relative + 2 * 0x1p-24 * (1 + Math.abs(Math.log(p)))) + FLUSHED;
        } else if (seen && row.score(j - begin) > Double.NEGATIVE_INFINITY) {
          error = FLUSHED;
        }
        weights.expect(at + j, p, error);
      }
    }
    expectZero(at, length);
  }
}

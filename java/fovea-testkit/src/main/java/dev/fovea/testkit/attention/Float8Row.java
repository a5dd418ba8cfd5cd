package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.Arrays;

/**
 * What products of e4m3 on the tensor cores of compute capability 9.0 do to one row of a case that
 * {@link Precision#products} gives them. w_j are its weights, W the largest of them, u = 2^-4.
 *
 * <p><b>Weights.</b> The specification's definition is P_j = e4m3(256 exp(x_j - max)), whose error
 * of an element of out, sum_j (P_j W / 256 - w_j) v_jd, is computed. A kernel takes exponents
 * relative to a reference: a score so far, which the largest so far is above by log(448 / 256) or
 * less, and sums weights before it rounds them. It makes the same errors with other mantissas. By
 * element they are at most u w_j, or 2^-10 / 256 W where a weight is subnormal, each; where less,
 * six standard deviations of independent errors, and u |out| for those of weights that are equal.
 *
 * <p>A rounding error is uniform in half a last place either way, and mantissas m have the density
 * 1 / (m ln 2). So it has a variance of u^2 / 3 times the mean of m^-2, which is 3 / (8 ln 2):
 * s_j^2 = u^2 w_j^2 / (8 ln 2), at least that of subnormal numbers, (2^-17 W)^2 / 12, and at most
 * w_j^2, what is lost of a weight that becomes zero. W has none, it is 256, unless another score is
 * so near that the reference may be that.
 *
 * <p>The specification allows a root mean square of 1.1 of the definition's. For a kernel whose
 * reference lags that is a sample of as many errors as rows have weights that count, which may be
 * few, and another sample may be larger. So it is that or, if more, what chance leaves room for
 * above the variances, see {@link dev.fovea.testkit.Expected#allowedRmse}: a row has an expected
 * sum of squares of E_r = sum_jd s_j^2 v_jd^2, which is a quadratic form in independent errors of
 * variance 2 sum_jk s_j^2 s_k^2 (v_j v_k)^2. Products of values of different keys have random signs
 * and squares of |v_j|^2 |v_k|^2 / Dv on average, so that the sum is sum_j (s_j^2 |v_j|^2)^2 +
 * E_r^2 / Dv, and at most E_r^2. Of some hundreds of rows little is left of it.
 *
 * <p><b>Sums</b> of scores and of values are cut, which the definition's are not: see {@link
 * Float8Sums}. Scores that are off by dx_j move out by p_j dx_j (v_j - out) each, and on average as
 * {@link RoundedFactors} says of independent ones; it is added to the above.
 */
final class Float8Row {

  private static final double DEVIATIONS = 6;

  /** s_j^2 in units of u^2 w_j^2. */
  private static final double ROUNDING = 1 / (8 * Math.log(2));

  /** Of subnormal numbers, in units of W^2. */
  private static final double SUBNORMAL =
      Math.pow(2 * Precision.FLOAT8_SUBNORMAL_HALF / Precision.FLOAT8_WEIGHTS, 2) / 12;

  /** A reference may be that much below the largest so far: weights may be up to 448. */
  private static final double LAG = 448 / Precision.FLOAT8_WEIGHTS;

  private final boolean constant;
  private final int same; // rows that are one and the same
  private final Float8Sums sums;
  private final double[] definition;
  private final double[] variance;
  private final double[] cut;
  private double largest; // W
  private boolean isExact; // W
  private double fourths; // sum_j (s_j^2 |v_j|^2)^2
  private double growth; // H of RoundedFactors

  Float8Row(AttentionCase c) {
    Geometry g = c.geometry();
    constant = c.content() == Content.CONSTANT;
    same = c.layouts().query().stride()[2] == 0 ? g.group() : 1;
    sums = new Float8Sums(g.keyLength());
    definition = new double[g.valueHeadDim()];
    variance = new double[g.valueHeadDim()];
    cut = new double[g.valueHeadDim()];
  }

  /** Sums over the row, once its weights and out are known. */
  void weigh(OracleRow row, OracleHead head) {
    for (double[] all : new double[][] {definition, variance, cut}) {
      Arrays.fill(all, 0);
    }
    growth = 0;
    fourths = 0;
    largest = row.largestKeyWeight();
    if (!(largest > 0)) {
      return; // it sees nothing, or NaN
    }
    double[] moved = sums.ofScores(row, head);
    isExact = !hasRival(row, moved);
    double[] values = head.values().value();
    int width = definition.length;
    for (int j = 0; j < row.count(); j++) {
      double w = row.weight(j);
      if (w == 0) {
        continue; // however large the error of its score
      }
      int at = (head.begin() + j) * width;
      double error = rounded(w) - w;
      double square = square(w);
      double factor = w * Math.expm1(moved[j]);
      double norm = 0;
      for (int d = 0; d < width; d++) {
        double v = values[at + d];
        double share = factor * (v - row.out(d));
        definition[d] += error * v;
        variance[d] += square * (v * v);
        cut[d] += share * share;
        norm += Double.isNaN(v) ? 0 : v * v; // its column is compared no more
      }
      fourths += square * norm * (square * norm);
      growth += w * Math.expm1(DEVIATIONS * moved[j]);
    }
    double ofValues = Float8Sums.ofValues(row.count());
    for (int d = 0; d < width; d++) {
      cut[d] = (1 + growth) * (1 + growth) * cut[d] + ofValues * row.squares(d);
    }
  }

  /** Whether a score beside the largest may be one that the reference keeps to. */
  private boolean hasRival(OracleRow row, double[] moved) {
    double off = 0;
    for (int j = 0; j < row.count(); j++) {
      off = row.weight(j) == largest ? Math.max(off, moved[j]) : off;
    }
    int near = 0;
    for (int j = 0; j < row.count(); j++) {
      double most = row.weight(j) * Math.exp(DEVIATIONS * (moved[j] + off));
      near += LAG * most >= largest ? 1 : 0;
    }
    return near > 1;
  }

  /** The weight as the definition rounds it. */
  private double rounded(double weight) {
    double unit = largest / Precision.FLOAT8_WEIGHTS;
    DType type = DType.FLOAT8_E4M3;
    int bits = Quantization.quantize(type, (float) (weight / unit));
    return Quantization.value(type, bits) * unit;
  }

  /** s_j^2. */
  private double square(double weight) {
    if (weight == largest && isExact) {
      return 0;
    }
    double unit = Precision.FLOAT8_UNIT;
    double usual = ROUNDING * unit * unit * weight * weight;
    return Math.min(weight * weight, Math.max(usual, SUBNORMAL * largest * largest));
  }

  /** The error of element {@code d} of out by the definition. */
  double definition(int d) {
    return definition[d];
  }

  /** The variance of that by a kernel. */
  double variance(int d) {
    return variance[d];
  }

  /**
   * What the row counts as in {@link dev.fovea.testkit.Expected#countRow}.
   *
   * @param squares E_r, of the elements that are compared
   */
  double ofRow(double squares) {
    double all = squares * squares;
    double usual = Math.min(all, all / definition.length + fourths);
    return Math.sqrt(same * (constant ? all : usual));
  }

  /** How far rounded weights may move element {@code d} of out. */
  double weights(OracleRow row, int d) {
    double unit = Precision.FLOAT8_UNIT;
    double below = Precision.FLOAT8_SUBNORMAL_HALF / Precision.FLOAT8_WEIGHTS * largest;
    double most = Oracle.SLACK * unit * row.absolute(d) + below * row.plain(d);
    double usual = DEVIATIONS * Math.sqrt(variance[d]) + unit * Math.abs(row.out(d));
    return constant ? most : Math.min(most, usual);
  }

  /** How far sums that are cut may move it, by {@code worst} at the worst. */
  double cut(double worst, int d) {
    return constant ? worst : Math.min(worst, DEVIATIONS * Math.sqrt(cut[d]));
  }

  /** The mean square of that. */
  double cutSquares(int d) {
    return constant ? 0 : cut[d];
  }

  /** How far lse moves by scores that are off, by {@code worst} at the worst. */
  double lse(double worst) {
    return constant ? worst : Math.min(worst, growth);
  }

  /** Whether sums that are cut err the worst way, and count as those of float32 do. */
  boolean isConstant() {
    return constant;
  }
}

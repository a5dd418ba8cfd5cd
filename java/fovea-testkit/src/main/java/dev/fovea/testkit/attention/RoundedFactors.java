package dev.fovea.testkit.attention;

import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.Arrays;

/**
 * What rounding the factors of products does to one row. Products in TF32 round query, key, weight
 * and value to 11 significant bits, u = 2^-11, where those of 16-bit inputs take query, key and
 * value as they are.
 *
 * <p><b>Scores.</b> q_d k_jd becomes q_d k_jd (1 + a)(1 + b) with |a|, |b| at most u, so x_ij moves
 * by dx_j of at most (2u + u^2) scale sum_d |q_d k_jd|. Different elements round independently,
 * with a relative variance of u^2/6 each, as the specification's bound of the mean has it; the
 * standard deviation of dx_j is then at most s_j = u scale sqrt(sum_d (q_d k_jd)^2 / 3). The bound
 * e_j is 6 s_j where that is less, from D = 8 or so; it covers three equal products that all err
 * the worst way. A softcap has slopes of at most 1, and leaves what lies between the capped x_ij -
 * e_j and x_ij + e_j.
 *
 * <p><b>Out.</b> p_j becomes p_j exp(dx_j) / Z, Z = sum_k p_k exp(dx_k), so out moves by exactly
 * sum_j (exp(dx_j) - 1) c_j / Z, c_j = w_j v_j - p_j out. What moves all scores alike moves
 * nothing, and a row that is nearly one-hot hardly moves: there all c_j are small. By Jensen's
 * inequality 1/Z is at most exp(sum_j p_j e_j), and that at most 1 + H with H = sum_j p_j (exp(e_j)
 * - 1). Hence the worst case (1 + H) sum_j (exp(e_j) - 1) |c_j|, and where less, since keys are
 * independent of each other and of the values, six standard deviations: (1 + H) sqrt(sum_j ((exp(6
 * s_j) - 1) c_j)^2).
 *
 * <p><b>lse</b> moves by ln Z, which lies between -ln(1 + H) and ln(1 + H). <b>Weights</b> change
 * by a factor of at most exp(e_j) (1 + H).
 *
 * <p><b>Weights times values.</b> Both are rounded: (2u + u^2) sum_j w_j |v_j| in the worst case,
 * six standard deviations 6 u sqrt(sum_j (w_j v_j)^2 / 3) where that is less, and then u |out| for
 * weights that are equal and round alike.
 *
 * <p>Constant data round all the same way and are held to the worst cases.
 */
final class RoundedFactors {

  private static final double DEVIATIONS = 6;

  private final double unit;
  private final boolean constant;
  private final double[] deviations; // sum_d (q_d k_jd)^2, then 6 s_j
  private final double[] bounds; // e_j
  private final double[] worst;
  private final double[] squares;
  private double growth; // H

  RoundedFactors(double unit, AttentionCase c) {
    this.unit = unit;
    this.constant = c.content() == Content.CONSTANT;
    int keys = c.geometry().keyLength();
    deviations = new double[keys];
    bounds = new double[keys];
    worst = new double[c.geometry().valueHeadDim()];
    squares = new double[c.geometry().valueHeadDim()];
  }

  /** Bounds of 0 for the scores of a row. */
  void begin(OracleRow row) {
    Arrays.fill(deviations, 0, row.count(), 0);
  }

  /** Adds to them what products with the columns of a matrix do, as {@link OracleRow#multiply}. */
  void multiply(OracleRow row, Factors query, Factors transposed, int stride, int begin) {
    double[] matrix = transposed.value();
    for (int d = 0; d < query.value().length; d++) {
      int at = d * stride + begin;
      double factor = query.value()[d] * query.value()[d];
      for (int j = 0; j < row.count(); j++) {
        deviations[j] += factor * (matrix[at + j] * matrix[at + j]);
      }
    }
  }

  /** Bounds the scores, times a scale, before softcap and bias change them. */
  void scale(OracleRow row, double scale) {
    for (int j = 0; j < row.count(); j++) {
      double most = (2 * unit + unit * unit) * row.error(j);
      deviations[j] = DEVIATIONS * unit * Math.abs(scale) * Math.sqrt(deviations[j] / 3);
      bounds[j] = constant ? most : Math.min(most, deviations[j]);
    }
  }

  /** What a softcap leaves of it. */
  void cap(OracleRow row, double softcap) {
    for (int j = 0; j < row.count(); j++) {
      bounds[j] = capped(row.score(j), bounds[j], softcap);
      deviations[j] = capped(row.score(j), deviations[j], softcap);
    }
  }

  private static double capped(double x, double bound, double softcap) {
    double middle = Math.tanh(x / softcap);
    double above = Math.tanh((x + bound) / softcap) - middle;
    double below = middle - Math.tanh((x - bound) / softcap);
    return softcap * Math.max(above, below);
  }

  /** Sums over the row, once its weights and out are known; {@code begin} is its first key. */
  void weigh(OracleRow row, double[] values, int begin) {
    growth = 0;
    Arrays.fill(worst, 0);
    Arrays.fill(squares, 0);
    for (int j = 0; j < row.count(); j++) {
      double p = row.weight(j);
      if (p == 0) {
        continue; // however large its bound
      }
      double w = row.dropped(j);
      double most = Math.expm1(bounds[j]);
      double usual = Math.expm1(deviations[j]);
      growth += p * most;
      for (int d = 0; d < worst.length; d++) {
        double c = w * values[(begin + j) * worst.length + d] - p * row.out(d);
        worst[d] += most * Math.abs(c);
        squares[d] += usual * c * (usual * c);
      }
    }
  }

  /** How far rounded scores may move element {@code d} of out. */
  double scores(int d) {
    return (1 + growth) * (constant ? worst[d] : Math.min(worst[d], Math.sqrt(squares[d])));
  }

  /** How far rounded weights and values may move element {@code d} of out. */
  double product(OracleRow row, int d) {
    double most = (2 * unit + unit * unit) * row.absolute(d);
    double usual = DEVIATIONS * unit * Math.sqrt(row.squares(d) / 3) + unit * Math.abs(row.out(d));
    return constant ? most : Math.min(most, usual);
  }

  /**
   * The variance of element {@code d} of out by all of that. A mean over elements averages the
   * errors of weights, but the columns of a row share those of its scores, and all rows those of
   * the values: four times and twice the variance leave room for means of few.
   */
  double variance(OracleRow row, int d) {
    if (constant) {
      double scores = scores(d);
      double product = product(row, d);
      return scores * scores + product * product;
    }
    double scores = (1 + growth) * (1 + growth) * squares[d] / (DEVIATIONS * DEVIATIONS);
    return 4 * scores + unit * unit / 6 * (3 * row.squares(d) + row.out(d) * row.out(d));
  }

  /** How far lse moves. */
  double lse() {
    return Math.log1p(growth);
  }

  /** The relative change of weight {@code j}. */
  double weight(int j) {
    return Math.expm1(bounds[j] + lse());
  }
}

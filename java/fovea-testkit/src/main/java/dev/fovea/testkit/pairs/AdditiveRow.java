package dev.fovea.testkit.pairs;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.pairs.PairCase.Content;

/**
 * Scores of additive attention, with the error that a right kernel may make:
 *
 * <pre>
 *   t_ija = tanh(q_ia + k_ja + b_a);  x_ij = sum_a w_a t_ija
 * </pre>
 *
 * <p>With u = 2^-24:
 *
 * <ul>
 *   <li>tanh, its products and their sum, through e^(2 (q + b)) e^(2 k) and quotients of four terms
 *       (native/cpu/README.md): 5e-7 sum_a |w_a|. A direct sum of products of tanh within 3 u is
 *       below that.
 *   <li>The argument is q + b, rounded, plus k, rounded: it moves by u (|q + b| + |q + b + k|), and
 *       a score by sum_a |w_a| (1 - t^2) times that. The sum of both is the score's.
 *   <li>Constant data: each of A steps of the sum rounds alike, A u sum_a |w_a| more (Higham,
 *       Accuracy and Stability of Numerical Algorithms, sec. 4.2).
 * </ul>
 */
final class AdditiveRow extends ScoreRow {

  /** Of a score, in units of sum_a |w_a|. */
  private static final double SCORE = 5e-7;

  private final double[] shifted; // q + b of the row, [A]
  private final double[] weight; // of its head, [A]
  private final double[] tanh; // [count, A]
  private double farthest; // |q + b| of the row

  AdditiveRow(PairCase c, Operands data) {
    super(c, data);
    shifted = new double[g.headDim()];
    weight = new double[g.headDim()];
    tanh = new double[g.keyLength() * g.headDim()];
  }

  @Override
  void score(int h, int query) {
    double size = loadRow(h, query);
    double alike = c.content() == Content.CONSTANT ? g.headDim() * FLOAT_UNIT : 0;
    for (int j = 0; j < count(); j++) {
      double sum = 0;
      double moved = 0;
      for (int a = 0; a < g.headDim(); a++) {
        double u = shifted[a] + key(j, a);
        double t = Math.tanh(u);
        tanh[j * g.headDim() + a] = t;
        sum += weight[a] * t;
        moved += Math.abs(weight[a]) * slope(t) * argument(a, u);
      }
      scores[j] = sum;
      errors[j] = (SCORE + alike) * size + moved;
    }
  }

  /** sum_a |w_a|. */
  private double loadRow(int h, int query) {
    int from = c.layout("weight").at(h, 0, 0);
    Layout bias = c.layout("bias");
    double size = 0;
    farthest = 0;
    for (int a = 0; a < g.headDim(); a++) {
      double b = bias == null ? 0 : data.get("bias")[bias.at(h, 0, 0) + a];
      shifted[a] = data.get("query")[query + a] + b;
      weight[a] = data.get("weight")[from + a];
      size += Math.abs(weight[a]);
      farthest = Math.max(farthest, Math.abs(shifted[a]));
    }
    return size;
  }

  /** 1 - t^2. */
  static double slope(double t) {
    return (1 - t) * (1 + t);
  }

  /** What rounding q + b and the sum with the key moves the argument {@code u} of a tanh by. */
  double argument(int a, double u) {
    return FLOAT_UNIT * (Math.abs(shifted[a]) + Math.abs(u));
  }

  double tanh(int j, int a) {
    return tanh[j * g.headDim() + a];
  }

  /** q + b. */
  double shifted(int a) {
    return shifted[a];
  }

  /** The largest |q + b|. */
  double farthest() {
    return farthest;
  }

  double weight(int a) {
    return weight[a];
  }
}

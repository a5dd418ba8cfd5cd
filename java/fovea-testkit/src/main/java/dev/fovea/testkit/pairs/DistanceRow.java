package dev.fovea.testkit.pairs;

/**
 * Scores of distance attention, with the error that a right kernel may make:
 *
 * <pre>
 *   x_ij = -sum_a (q_ia - k_ja)^2 / (2 h^2)
 * </pre>
 *
 * <p>With u = 2^-24: a difference rounds by u, which its square doubles, and rounds by u; the
 * factor of the sum and its product with that by u each. Up to 64 squares are summed at a time, and
 * then these sums, each as {@link Oracle} has sums of n terms. All of that is relative to the
 * score. A square that is not a normal float32 may be flushed. A linear fit is {@link LinearFit}'s.
 */
final class DistanceRow extends ScoreRow {

  /** Squares that are summed at a time. */
  private static final int PART = 64;

  /** The least normal float32. */
  private static final double LEAST = 0x1p-126;

  private double inverse; // 1 / h^2
  private int query; // of the row, its first element
  private final LinearFit fit; // or null

  DistanceRow(PairCase c, Operands data) {
    super(c, data);
    Float ridge = c.options().ridge();
    fit = ridge == null ? null : new LinearFit(this, g.headDim(), g.keyLength(), ridge);
  }

  @Override
  LinearFit fit() {
    return fit;
  }

  /** (k_j - k_i) / |h|. */
  double between(int i, int j, int a) {
    return (key(j, a) - key(i, a)) / Math.abs(bandwidth(head()));
  }

  /** (k - q) / |h|. */
  double distance(int j, int a) {
    return (key(j, a) - data.get("query")[query + a]) / Math.abs(bandwidth(head()));
  }

  @Override
  void score(int h, int query) {
    inverse = 1 / (bandwidth(h) * bandwidth(h));
    int dim = g.headDim();
    double relative =
        5 * FLOAT_UNIT
            + summation(Math.min(dim, PART))
            + (dim > PART ? summation((dim + PART - 1) / PART) : 0);
    float[] queries = data.get("query");
    for (int j = 0; j < count(); j++) {
      double sum = 0;
      for (int a = 0; a < dim; a++) {
        double difference = queries[query + a] - key(j, a);
        sum += difference * difference;
      }
      scores[j] = -0.5 * inverse * sum;
      errors[j] = relative * -scores[j] + 0.5 * inverse * dim * LEAST;
    }
    this.query = query;
  }

  private double bandwidth(int h) {
    return data.get("bandwidth")[c.layout("bandwidth").at(0, 0, 0) + h];
  }

  /** (k - q) / h^2. */
  double slope(int j, int a) {
    return inverse * (key(j, a) - data.get("query")[query + a]);
  }

  /** 1 / |h|. */
  double inverse() {
    return Math.sqrt(inverse);
  }

  /** What the sum of ds x is multiplied by for the gradient of the bandwidth. */
  double perBandwidth() {
    return -2 / bandwidth(head());
  }
}

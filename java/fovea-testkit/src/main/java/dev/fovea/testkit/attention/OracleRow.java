package dev.fovea.testkit.attention;

import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Philox;
import java.util.function.IntPredicate;

/**
 * One query row of the oracle: its scores, its weights, and the sums that bound errors. All arrays
 * are indexed from the first visible key. Loops run over keys or columns innermost and without
 * branches, so that the JIT compiler vectorises them.
 */
final class OracleRow {

  private final double[] scores;
  private final double[] errors;
  private final double[] biases;
  private final double[] slopes;
  private final double[] capSlopes;
  private final double[] slopeErrors;
  private final double[] weights;
  private final double[] dropped;
  private final boolean[] keep;
  private final boolean[] hidden;
  private final Factors query;
  private final Factors positionQuery;
  private final double[] out;
  private final double[] absolute;
  private final double[] aligned;
  private final double[] squares;
  private final double[] biased;
  private final double[] plain;
  private final double[] cut;
  private final double[] gated;
  private int count;
  private boolean hasBias;
  private KeyGates gates; // null: none
  private double largestScore;
  private double largestWeight;
  private double largestKeyWeight;
  private double biasError;
  private double cutGrowth;
  private double lse;

  OracleRow(Geometry g, double least) {
    int keys = g.keyLength();
    int headDim = g.headDim();
    int valueDim = g.valueHeadDim();
    scores = new double[keys];
    errors = new double[keys];
    biases = new double[keys];
    slopes = new double[keys];
    capSlopes = new double[keys];
    slopeErrors = new double[keys];
    weights = new double[keys];
    dropped = new double[keys];
    keep = new boolean[keys];
    hidden = new boolean[keys];
    query = new Factors(headDim, least);
    positionQuery = new Factors(headDim, least);
    out = new double[valueDim];
    absolute = new double[valueDim];
    aligned = new double[valueDim];
    squares = new double[valueDim];
    biased = new double[valueDim];
    plain = new double[valueDim];
    cut = new double[valueDim];
    gated = new double[valueDim];
  }

  /** Scores of 0 for so many keys; query and position query are to be set. */
  void begin(int keys) {
    count = keys;
    hasBias = false;
    largestScore = 0;
    gates = null;
    for (double[] sums : new double[][] {scores, errors, biases, slopeErrors}) {
      java.util.Arrays.fill(sums, 0, count, 0);
    }
    java.util.Arrays.fill(slopes, 0, count, 1);
    java.util.Arrays.fill(capSlopes, 0, count, 1);
    java.util.Arrays.fill(hidden, 0, count, false);
  }

  /**
   * Adds products with the columns of a matrix, the one at {@code begin} for the first key; to the
   * errors those of the factors' sizes.
   */
  void multiply(Factors row, Factors transposed, int stride, int begin) {
    for (int d = 0; d < row.value().length && count > 0; d++) {
      accumulate(scores, transposed.value(), d * stride + begin, row.value()[d], count);
      accumulate(errors, transposed.size(), d * stride + begin, row.size()[d], count);
    }
  }

  /** Multiplies what was added by a scale. */
  void scale(double scale) {
    for (int j = 0; j < count; j++) {
      scores[j] *= scale;
      errors[j] *= Math.abs(scale);
      largestScore = Math.max(largestScore, errors[j]);
    }
  }

  /**
   * Bounds the scores, whose slope then is 1 - tanh^2. An error of c in units of tanh and of c
   * sum_d |q_d k_d| in its argument moves the slope by c (1 + 2 slope |tanh| sum_d |q_d k_d| /
   * softcap).
   */
  void cap(double softcap) {
    for (int j = 0; j < count; j++) {
      double tanh = Math.tanh(scores[j] / softcap);
      double slope = 1 - tanh * tanh;
      double error = 1 + 2 * slope * Math.abs(tanh) * errors[j] / softcap;
      scores[j] = softcap * tanh;
      capSlopes[j] = slope;
      slopeErrors[j] = slope * slopeErrors[j] + error * Math.abs(slopes[j]);
      slopes[j] *= slope;
    }
  }

  /** Puts what a modifier makes of the score of key {@code j} in its place; before all else. */
  void modify(int j, ModifierTrace.Bounded score, ModifierTrace.Bounded slope) {
    scores[j] = score.value();
    errors[j] = score.error();
    slopes[j] = slope.value();
    slopeErrors[j] = slope.error();
    largestScore = Math.max(largestScore, errors[j]);
  }

  /**
   * Hides keys, NaN or not; before anything is added.
   *
   * @param which of the visible keys
   */
  void hide(IntPredicate which) {
    largestScore = 0;
    for (int j = 0; j < count; j++) {
      if (which.test(j)) {
        hidden[j] = true;
        scores[j] = Double.NEGATIVE_INFINITY;
        errors[j] = 0;
      }
      largestScore = Math.max(largestScore, errors[j]);
    }
  }

  /** Adds factor times a row of a transposed matrix to sums. */
  static void accumulate(double[] sums, double[] matrix, int at, double factor, int count) {
    for (int j = 0; j < count; j++) {
      sums[j] += factor * matrix[at + j];
    }
  }

  /** Adds a bias to the score of key {@code j}. */
  void add(int j, double bias) {
    hasBias = true;
    scores[j] += bias;
    if (bias != Double.NEGATIVE_INFINITY) {
      errors[j] += Math.abs(bias);
      biases[j] += Math.abs(bias);
    }
  }

  /** Weights and lse; a row that sees nothing has no weights and the sink as its lse. */
  void softmax(double sink) {
    double max = sink;
    for (int j = 0; j < count; j++) {
      max = Math.max(max, scores[j]);
    }
    biasError = 0;
    largestWeight = 0;
    largestKeyWeight = 0;
    if (max == Double.NEGATIVE_INFINITY) {
      lse = max;
      java.util.Arrays.fill(weights, 0, count, 0);
      java.util.Arrays.fill(dropped, 0, count, 0);
      return;
    }
    double sum = Math.exp(sink - max);
    for (int j = 0; j < count; j++) {
      weights[j] = Math.exp(scores[j] - max);
      sum += weights[j];
    }
    lse = max + Math.log(sum);
    for (int j = 0; j < count; j++) {
      weights[j] /= sum;
      dropped[j] = weights[j];
      biasError += weights[j] * biases[j];
      largestWeight = Math.max(largestWeight, weights[j]);
    }
    largestKeyWeight = largestWeight;
    if (sink != Double.NEGATIVE_INFINITY) {
      double weight = Math.exp(sink - lse);
      biasError += weight * Math.abs(sink);
      largestWeight = Math.max(largestWeight, weight);
    }
  }

  /** Weights for an lse that is given and finite. */
  void weigh(double lse) {
    this.lse = lse;
    for (int j = 0; j < count; j++) {
      weights[j] = Math.exp(scores[j] - lse);
      dropped[j] = weights[j];
    }
  }

  /** Drops weights of the product, not those of lse or of the weights output. */
  void drop(int begin, int row, int head, Options options) {
    int threshold = Philox.threshold(options.dropout());
    if (count == 0) {
      return;
    }
    Philox.keep(keep, begin, begin + count, row, head, options.seed(), options.offset(), threshold);
    double factor = dropFactor(options);
    for (int j = 0; j < count; j++) {
      dropped[j] = keep[j] ? dropped[j] * factor : 0;
    }
  }

  /** Multiplies the weights of the product by gates, that of the first visible key at begin. */
  void gate(KeyGates gates, int begin) {
    this.gates = gates;
    gates.apply(dropped, begin, count);
  }

  /** What kept weights are multiplied by; 0 if the probability is so near 1 that none is kept. */
  static double dropFactor(Options options) {
    int threshold = Philox.threshold(options.dropout());
    return threshold == 65536 ? 0 : 65536.0 / (65536 - threshold);
  }

  /**
   * out, and the sums of w|v|, w^2 v^2, w|b||v| and |v| beside it.
   *
   * @param leastWeight the least size as which a product aligns a weight
   */
  void product(Factors factors, int begin, int width, double leastWeight) {
    double[] values = factors.value();
    double[] sizes = factors.size();
    for (double[] sums : new double[][] {out, absolute, aligned, squares, biased, plain, gated}) {
      java.util.Arrays.fill(sums, 0);
    }
    for (int j = 0; j < count; j++) {
      int at = (begin + j) * width;
      double w = dropped[j];
      for (int d = 0; d < width; d++) {
        out[d] += w * values[at + d];
      }
      for (int d = 0; d < width; d++) {
        absolute[d] += w * Math.abs(values[at + d]);
      }
      double size = Math.max(w, leastWeight);
      for (int d = 0; d < width; d++) {
        aligned[d] += size * sizes[at + d];
      }
      double square = w * w;
      for (int d = 0; d < width; d++) {
        squares[d] += square * (values[at + d] * values[at + d]);
      }
      for (int d = 0; d < width; d++) {
        plain[d] += Math.abs(values[at + d]);
      }
      if (hasBias) {
        double wb = w * biases[j];
        for (int d = 0; d < width; d++) {
          biased[d] += wb * Math.abs(values[at + d]);
        }
      }
      for (int d = 0; d < width && gates != null; d++) {
        gated[d] += gates.weightError(j) * Math.abs(values[at + d]);
      }
    }
  }

  /** What errors of {@code unit} scale sum_d |q_d k_jd| of the scores do, once out is known. */
  void cut(double[] values, int begin, int width, double unit) {
    cutGrowth = 0;
    java.util.Arrays.fill(cut, 0);
    for (int j = 0; j < count; j++) {
      double p = weights[j];
      if (p == 0) {
        continue; // however large the error
      }
      int at = (begin + j) * width;
      double w = dropped[j];
      double factor = Math.expm1(unit * product(j));
      cutGrowth += p * factor;
      for (int d = 0; d < width; d++) {
        cut[d] += factor * Math.abs(w * values[at + d] - p * out[d]);
      }
    }
  }

  /**
   * The visible key that has the largest weight, and in the product all but 2^-12 of their sum; -1
   * if there is none.
   */
  int onlyKey() {
    int most = 0;
    double sum = 0;
    for (int j = 0; j < count; j++) {
      most = weights[j] > weights[most] ? j : most;
      sum += dropped[j];
    }
    return count > 0 && sum > 0 && sum - dropped[most] <= 0x1p-12 * sum ? most : -1;
  }

  /** True if a visible key or value has a NaN. */
  boolean sawNaN(double[] values, int begin, int width) {
    for (int j = 0; j < count; j++) {
      if (hidden[j]) {
        continue;
      }
      if (Double.isNaN(errors[j])) {
        return true;
      }
      for (int d = 0; d < width; d++) {
        if (Double.isNaN(values[(begin + j) * width + d])) {
          return true;
        }
      }
    }
    return false;
  }

  /** Whether a mask hides visible key {@code j}. */
  boolean isHidden(int j) {
    return hidden[j];
  }

  /** Keys that row and position let be seen. */
  int count() {
    return count;
  }

  /** The row of query, with the content bias. */
  Factors query() {
    return query;
  }

  /** That with the position bias instead. */
  Factors positionQuery() {
    return positionQuery;
  }

  double out(int d) {
    return out[d];
  }

  double absolute(int d) {
    return absolute[d];
  }

  /** sum_j w_j |v_j|, of sizes as products align them. */
  double aligned(int d) {
    return aligned[d];
  }

  double squares(int d) {
    return squares[d];
  }

  double biasedAbsolute(int d) {
    return biased[d];
  }

  /** sum_j |v_j| times the error of w_j by its gate. */
  double gated(int d) {
    return gated[d];
  }

  double plain(int d) {
    return plain[d];
  }

  /** What {@link #cut(double[], int, int, double)} found for an element of out, but for H. */
  double cut(int d) {
    return cut[d];
  }

  /** H: how much the sum of the weights may grow by it. */
  double cutGrowth() {
    return cutGrowth;
  }

  /** max_j scale * sum_d |q_d k_jd|, here and below with keys of distances among the keys. */
  double largestScore() {
    return largestScore;
  }

  /** The largest p, that of the sink included: what a running maximum makes 1. */
  double largestWeight() {
    return largestWeight;
  }

  /** The largest p of a key. */
  double largestKeyWeight() {
    return largestKeyWeight;
  }

  /** sum_j p_j |b_j| + p_sink |sink|. */
  double biasError() {
    return biasError;
  }

  double lse() {
    return lse;
  }

  double weight(int j) {
    return weights[j];
  }

  /** The weight as the product takes it, gated: 0 where it is dropped. */
  double dropped(int j) {
    return dropped[j];
  }

  /** The error of the dropped weight by its gate. */
  double gateError(int j) {
    return gates == null ? 0 : gates.weightError(j);
  }

  double score(int j) {
    return scores[j];
  }

  /** What the softcap alone leaves of a change of the score before it; 1 without one. */
  double capSlope(int j) {
    return capSlopes[j];
  }

  /** What modifier and softcap leave of a change of the score before them; 1 without any. */
  double slope(int j) {
    return slopes[j];
  }

  /** The error of {@link #slope} in units of that of float32 arithmetic. */
  double slopeError(int j) {
    return slopeErrors[j];
  }

  /** scale * sum_d |q_d k_jd|. */
  double product(int j) {
    return errors[j] - biases[j];
  }

  /** scale * sum_d |q_d k_jd| + |b_j|. */
  double error(int j) {
    return errors[j];
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Sigmoid;
import java.util.Arrays;

/**
 * One query row of the backward oracle: the terms of its visible keys, with the bounds that {@link
 * BackwardOracle} derives.
 */
final class BackwardRow {

  private final OracleHead head;
  private final DType weightType; // that weights are rounded to for products; null: they are not
  private final double dropFactor;
  private final double perScore;
  private final double perValue;
  private final double cutScore;
  private final double cutValue;
  private final Factors valuesTransposed;
  private final Factors dout;
  private final double[] lost;
  private final double[] unsure;
  private final double[] unsureProducts;
  private final double[] products;
  private final double[] sizes;
  private final double[] lostProducts;
  private final Terms weights;
  private final Terms scores;
  private final Terms unscaled;
  private final Terms gates;
  private final double weightScale; // of weights in their products
  private final boolean hasKeyGates;
  private final boolean hasOutputGates;
  private double gradientScale; // of score gradients, at least
  private double delta;
  private double deltaSize;
  private double deltaUnsure;

  BackwardRow(AttentionCase c, OracleHead head, Precision precision) {
    this.head = head;
    Geometry g = c.geometry();
    weightType = precision.weightUnit(c.options().dtype()) > 0 ? c.options().dtype() : null;
    dropFactor = OracleRow.dropFactor(c.options());
    weightScale = weightType == DType.FLOAT16 ? Precision.BACKWARD_WEIGHTS : 1;
    gradientScale = 1;
    perScore = head.perScore();
    perValue = head.perProduct(g.valueHeadDim());
    cutScore = precision.truncation(c.options().dtype(), false, g.headDim());
    cutValue = precision.truncation(c.options().dtype(), false, g.valueHeadDim());
    double least = precision.leastFactor(c.options().dtype());
    valuesTransposed = new Factors(g.keyLength() * g.valueHeadDim(), least);
    dout = new Factors(g.valueHeadDim(), least);
    lost = new double[g.valueHeadDim()];
    unsure = new double[g.valueHeadDim()];
    unsureProducts = new double[g.keyLength()];
    products = new double[g.keyLength()];
    sizes = new double[g.keyLength()];
    lostProducts = new double[g.keyLength()];
    weights = new Terms(g.keyLength());
    scores = new Terms(g.keyLength());
    unscaled = new Terms(g.keyLength());
    gates = new Terms(g.keyLength());
    hasKeyGates = c.options().gates().hasKeys();
    hasOutputGates = c.options().gates().hasOutput();
  }

  /** Takes the values of the head that was loaded. */
  void load() {
    int keys = head.length();
    for (int j = 0; j < keys; j++) {
      for (int d = 0; d < lost.length; d++) {
        valuesTransposed.set(d * keys + j, head.values().value()[j * lost.length + d]);
      }
    }
  }

  /**
   * Says what no |g - delta| of the head that was loaded exceeds: products of float16 take score
   * gradients relative to it.
   */
  void bound(double most) {
    boolean scaled = weightType == DType.FLOAT16 && most > 0 && Double.isFinite(most);
    gradientScale = scaled ? Math.scalb(Precision.SCORE_GRADIENTS, -1 - Math.getExponent(most)) : 1;
  }

  /** The largest 2-norm of the head's values, times what kept weights are multiplied by. */
  double valueNorm() {
    double most = 0;
    for (int j = 0; j < head.length(); j++) {
      most = Math.max(most, norm(head.values().value(), j * lost.length, lost.length));
    }
    return most * dropFactor;
  }

  private static double norm(double[] values, int from, int count) {
    double squares = 0;
    for (int d = from; d < from + count; d++) {
      squares += values[d] * values[d];
    }
    return Math.sqrt(squares);
  }

  /** The bound of the row that was loaded. */
  double most(double valueNorm) {
    return norm(dout.value(), 0, lost.length) * valueNorm + Math.abs(delta);
  }

  /** Takes a row of dout, gated, and one of out before gates, of query {@code i} and a head. */
  void load(int h, int i, float[] douts, int doutRow, float[] outs, int outRow) {
    delta = 0;
    deltaSize = 0;
    deltaUnsure = 0;
    for (int d = 0; d < lost.length; d++) {
      double x = douts[doutRow + d];
      double error = 0;
      if (hasOutputGates) {
        double logit = head.outputGate(h, i, d);
        error = Math.abs(x) * Sigmoid.error(logit, 0);
        x *= Sigmoid.of(logit);
        error += Sigmoid.UNIT * Math.abs(x);
      }
      dout.set(d, x);
      lost[d] = weightType == null ? 0 : Rounding.round(weightType, x) - x;
      unsure[d] = weightType == null ? error : steps(Math.abs(x), error);
      double product = x * outs[outRow + d];
      delta += product;
      deltaSize += Math.abs(product);
      deltaUnsure += error * Math.abs(outs[outRow + d]);
    }
  }

  /** How far apart numbers within an error may be rounded. */
  private double steps(double size, double error) {
    return (double) Rounding.round(weightType, size + error)
        - Rounding.round(weightType, size - error);
  }

  /** What may be wrong with the gated dout of products beside {@link #lost}. */
  double[] unsure() {
    return unsure;
  }

  Factors dout() {
    return dout;
  }

  /** What dout changes by if it is rounded for products. */
  double[] lost() {
    return lost;
  }

  double delta() {
    return delta;
  }

  /** The error of delta. */
  double deltaError() {
    return perValue * deltaSize + deltaUnsure;
  }

  /** r_ij p_ij, gated: the terms of dvalue. */
  Terms weights() {
    return weights;
  }

  /** ds_ij, the terms of dbias and of the slopes' gradients. */
  Terms scores() {
    return scores;
  }

  /** The terms of the gradients of key gates. */
  Terms gates() {
    return gates;
  }

  /** t_ij / scale, the terms of dquery and dkey. */
  Terms unscaled() {
    return unscaled;
  }

  /** Computes the terms of query {@code i} of head {@code h}, whose lse is not -inf. */
  OracleRow compute(int h, int i, double lse) {
    OracleRow row = head.scores(h, i);
    row.weigh(lse);
    head.drop(h, i);
    multiply(dout.value(), valuesTransposed.value(), row.count(), products);
    multiply(dout.size(), valuesTransposed.size(), row.count(), sizes);
    if (weightType != null) {
      multiply(lost, valuesTransposed.value(), row.count(), lostProducts);
    }
    if (hasOutputGates) {
      multiplySizes(unsure, valuesTransposed.value(), row.count(), unsureProducts);
    }
    for (int j = 0; j < row.count(); j++) {
      double exponent = perScore * (1 + row.error(j) + Math.abs(lse)) + cutScore * row.product(j);
      term(row, j, Math.expm1(exponent));
    }
    return row;
  }

  private void multiply(double[] factors, double[] matrix, int count, double[] sums) {
    Arrays.fill(sums, 0, count, 0);
    for (int d = 0; d < factors.length; d++) {
      int at = d * head.length() + head.begin();
      OracleRow.accumulate(sums, matrix, at, factors[d], count);
    }
  }

  private void multiplySizes(double[] sizes, double[] matrix, int count, double[] sums) {
    Arrays.fill(sums, 0, count, 0);
    for (int d = 0; d < sizes.length; d++) {
      int at = d * head.length() + head.begin();
      for (int j = 0; j < count; j++) {
        sums[j] += sizes[d] * Math.abs(matrix[at + j]);
      }
    }
  }

  /** {@code relative} is the error of p. */
  private void term(OracleRow row, int j, double relative) {
    double p = row.weight(j);
    double w = row.dropped(j);
    double ds = w * products[j] - p * delta;
    double dsError =
        relative * Math.abs(ds)
            + perValue * (w * sizes[j] + p * deltaSize)
            + cutValue * w * sizes[j]
            + row.gateError(j) * Math.abs(products[j])
            + w * unsureProducts[j]
            + p * deltaUnsure
            + Oracle.FLUSHED * (1 + dropFactor * sizes[j] + deltaSize);
    double slope = row.slope(j);
    double slopeError = perScore * row.slopeError(j);
    weights.set(j, w, relative * w + row.gateError(j) + Oracle.FLUSHED * dropFactor);
    scores.set(j, ds, dsError);
    double steep = Math.abs(slope);
    unscaled.set(j, slope * ds, steep * dsError + slopeError * (Math.abs(ds) + dsError));
    if (weightType != null) {
      roundWeights(j, w, steep + slopeError);
    }
    if (hasKeyGates) {
      gateTerm(j, relative);
    }
  }

  /** Of sigmoid'(g_j) r_ij p_ij &lt;dout_i, v_j&gt;. */
  private void gateTerm(int j, double relative) {
    double w = head.gates().open(j);
    double logit = head.gates().logit(head.begin() + j);
    double error =
        relative * w * Math.abs(products[j])
            + (perValue + cutValue) * w * sizes[j]
            + w * unsureProducts[j]
            + Oracle.FLUSHED * (1 + dropFactor * sizes[j]);
    double term = w * products[j];
    gates.set(j, Sigmoid.gradient(term, logit), Sigmoid.gradientError(term, error, logit, 0));
    double moved = Sigmoid.gradient(w * Math.abs(lostProducts[j]), logit);
    gates.rounded(j, moved, moved * moved);
  }

  /** Half an ulp of a factor that is taken times {@code scale}, a power of two. */
  private double halfUlp(double size, double scale) {
    return Rounding.halfUlp(weightType, size * scale) / scale;
  }

  /**
   * Weights of products are rounded to the input dtype, and so is dout.
   *
   * @param steep the largest size that the slope of the score may have
   */
  private void roundWeights(int j, double w, double steep) {
    double moved = w * Math.abs(lostProducts[j]);
    scores.rounded(j, moved, moved * moved);
    moved *= steep;
    double step = halfUlp(unscaled.size(j) + moved, gradientScale);
    unscaled.rounded(j, step + moved, step * step / 3 + moved * moved);
    if (w > 0) {
      // p may be rounded before dropout scales it, or after.
      double before = dropFactor * halfUlp(weights.size(j) / dropFactor, weightScale);
      step = Math.max(before, halfUlp(weights.size(j), weightScale));
      weights.rounded(j, step, step * step / 3);
    } else {
      weights.rounded(j, 0, 0);
    }
  }
}

package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import java.util.Map;

/**
 * The gradients of distance attention. With ds of {@link BackwardOracle} and the bandwidth h,
 *
 * <pre>
 *   du_ija = ds_ij (k_ja - q_ia) / h^2;  dquery_ia = sum_j du_ija;  dkey_ja = -sum_i du_ija
 *   dbandwidth = sum_ij -2 / h ds_ij x_ij
 * </pre>
 *
 * <p>Bounds: du takes a difference, 1 / h^2 and two products, one of them with a sum's rounding,
 * five roundings, beside the error of ds; a term of dbandwidth the errors of ds and x, and four
 * roundings.
 *
 * <p>Those of a linear fit are, with what {@link LinearFit} says of f, c and A, and with g_ij =
 * r_ij &lt;dout_i, v_j&gt;, its mean over the weights, e_i = A^-1 sum_j p_ij (g_ij - mean) (y_ij -
 * m_i), t_ij = g_ij - mean - &lt;e_i, y_ij - m_i&gt;:
 *
 * <pre>
 *   ds_ij = p_ij (f_ij t_ij + ridge &lt;c_i, e_i&gt;);  dvalue_j = sum_i r_ij p_ij f_ij dout_i
 *   dquery_ia = sum_j du_ija + e_ia / |h|
 *   dkey_ja = -sum_i (du_ija + p_ij (f_ij e_ia + t_ij c_ia) / |h|)
 *   dbandwidth = -2 / h (sum_ij ds_ij x_ij - ridge sum_i &lt;c_i, e_i&gt;)
 * </pre>
 *
 * <p>where products err by what their factors do.
 */
final class DistanceGradients extends BackwardOracle<DistanceRow> {

  private final GradientSums dbandwidth;

  private DistanceGradients(PairCase c, Operands data) {
    super(c, data, new DistanceRow(c, data));
    dbandwidth = new GradientSums(g.queryHeads(), 1, row);
    add("dbandwidth", DType.FLOAT32);
  }

  /** Computes a backward case: the gradients that it has, by name. */
  static Map<String, Expected> run(PairCase c, Operands data) {
    return new DistanceGradients(c, data).run();
  }

  @Override
  void addRow(int b, int h) {
    if (row.fit() == null || row.count() == 0) {
      super.addRow(b, h);
    } else {
      new FitGradients(h).add(b);
    }
  }

  /** Those of the row that is computed. */
  private final class FitGradients {
    private final LinearFit fit = row.fit();
    private final int h;
    private final int count = row.count();
    private final double[] p = new double[count];
    private final double[] errors = new double[count]; // relative
    private LinearFit.Plane plane;

    FitGradients(int h) {
      this.h = h;
    }

    void add(int b) {
      weigh();
      if (fit.isVague()) {
        free(b, h);
        return;
      }
      plane = fit.plane(j -> r[j] * products[j], j -> perValue * r[j] * sizes[j]);
      dquery.begin(0);
      dbandwidth.begin(h);
      for (int a = 0; a < g.headDim(); a++) {
        double term = plane.slope(a) * row.inverse();
        double error = plane.slopeError(a) * row.inverse() + ScoreRow.FLOAT_UNIT * size(term);
        dquery.add(0, a, term, size(term), error);
      }
      double term = -row.perBandwidth() * plane.pull();
      double error = size(row.perBandwidth()) * plane.pullError();
      dbandwidth.add(h, 0, term, size(term), error + ScoreRow.FLOAT_UNIT * size(term));
      for (int j = 0; j < count; j++) {
        addPair(j);
      }
    }

    private void weigh() {
      double max = Double.NEGATIVE_INFINITY;
      double sum = 0;
      for (int j = 0; j < count; j++) {
        max = Math.max(max, row.score(j));
      }
      for (int j = 0; j < count; j++) {
        p[j] = Math.exp(row.score(j) - max);
        sum += p[j];
      }
      double all = 0;
      for (int j = 0; j < count; j++) {
        p[j] /= sum;
        double exponent = 2 * ScoreRow.FLOAT_UNIT * (max - row.score(j)) + row.error(j);
        errors[j] = Math.expm1(exponent + 2 * Oracle.ARITHMETIC);
        all += p[j] * errors[j];
      }
      fit.compute(p, errors);
      // Weights of a pair are exp2(x - max - log2(sum)).
      double common = all + ScoreRow.FLOAT_UNIT * (1 + Math.log(sum));
      for (int j = 0; j < count; j++) {
        errors[j] += common;
      }
    }

    private void addPair(int j) {
      double f = fit.factor(j);
      double fError = fit.factorError(j);
      double t = plane.rest(j);
      double tError = plane.restError(j);
      double whole = f * t + plane.pull();
      double relative = errors[j] + 4 * ScoreRow.FLOAT_UNIT;
      double wholeError = product(f, fError, t, tError) + plane.pullError();
      double flushed = Oracle.FLUSHED * (1 + size(whole));
      addScore(h, j, p[j] * whole, p[j] * sum(relative, whole, wholeError) + flushed);
      double w = r[j] * p[j];
      flushed = Oracle.FLUSHED * c.options().dropFactor() * (1 + size(f));
      addValue(row.begin() + j, w * f, w * sum(relative, f, fError) + flushed);
      int key = row.begin() + j;
      dkey.begin(key);
      for (int a = 0; a < g.headDim(); a++) {
        double slope = f * plane.slope(a);
        double tilt = t * fit.c(a);
        double error =
            sum(relative, size(slope) + size(tilt), 0)
                + (1 + relative)
                    * (product(f, fError, plane.slope(a), plane.slopeError(a))
                        + product(t, tError, fit.c(a), fit.cError(a)));
        double weight = p[j] * row.inverse();
        double size = size(slope) + size(tilt);
        dkey.add(
            key,
            a,
            -weight * (slope + tilt),
            weight * size,
            weight * error + Oracle.FLUSHED * row.inverse() * (1 + size));
      }
    }

    /** Of x, which errs by so much, times a weight that errs by that relative to itself. */
    private static double sum(double relative, double x, double error) {
      return relative * Math.abs(x) + (1 + relative) * error;
    }

    /** Of x times y, which err by so much. */
    private static double product(double x, double xError, double y, double yError) {
      return Math.abs(x) * yError + Math.abs(y) * xError + xError * yError;
    }

    private static double size(double x) {
      return Math.abs(x);
    }
  }

  @Override
  boolean isPoisoned(int h) {
    return hasNaN("bandwidth", c.layout("bandwidth").at(0, 0, 0) + h, 1);
  }

  @Override
  void freeHead(int h) {
    dbandwidth.free(h);
  }

  @Override
  void expectHead(int h) {
    if (c.has("dbandwidth")) {
      expect("dbandwidth", dbandwidth, h, c.layout("dbandwidth").at(0, 0, 0) + h);
    }
  }

  @Override
  void addScore(int h, int j, double ds, double dsError) {
    int key = row.begin() + j;
    dquery.begin(0);
    dkey.begin(key);
    dbandwidth.begin(h);
    for (int a = 0; a < g.headDim(); a++) {
      double slope = row.slope(j, a);
      double du = ds * slope;
      double size = Math.abs(du);
      double error = dsError * Math.abs(slope) + 5 * ScoreRow.FLOAT_UNIT * size;
      dquery.add(0, a, du, size, error);
      dkey.add(key, a, -du, size, error);
    }
    double x = row.score(j);
    double factor = row.perBandwidth();
    double size = Math.abs(factor * ds * x);
    double error =
        Math.abs(factor) * (dsError * Math.abs(x) + Math.abs(ds) * row.error(j))
            + 4 * ScoreRow.FLOAT_UNIT * size;
    dbandwidth.add(h, 0, factor * ds * x, size, error);
  }
}

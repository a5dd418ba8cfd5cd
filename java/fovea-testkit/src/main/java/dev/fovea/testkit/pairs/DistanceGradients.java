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

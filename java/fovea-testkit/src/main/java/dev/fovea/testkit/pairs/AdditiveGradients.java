package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import java.util.Map;

/**
 * The gradients of additive attention. With ds of {@link BackwardOracle}, s = 1 - t^2 and t as in
 * {@link AdditiveRow},
 *
 * <pre>
 *   du_ija = ds_ij weight_a s_ija;  dquery_ia = sum_j du_ija;  dkey_ja = sum_i du_ija
 *   dbias_a = sum_ij du_ija;  dweight_a = sum_ij ds_ij t_ija
 * </pre>
 *
 * <p>Bounds:
 *
 * <ul>
 *   <li>t errs by 6e-7, s by 1e-6 s (native/cpu/README.md). The argument's error m = u (|q + b| +
 *       |q + b + k|) moves t by s m, s by 2 |t| s m.
 *   <li>s near 0: powers end at 2^30, where s is 4 / 2^30, so it may be that much larger from an
 *       argument of 10 on. An argument beyond 43 counts as 43, which with one of at most 34 against
 *       it leaves 9, where s is 4 exp(-18). Where both are beyond 34, t is that of tanh itself, and
 *       s is 1 - t^2 of a t within 3 u: 7 u.
 *   <li>du errs by |ds weight| times the error of s, and by the error of ds and four roundings of
 *       its size times |weight| (s + its error).
 *   <li>t may be summed as 1 - (1 - t), so that terms of dweight have the size |ds| (1 + |1 - t|).
 * </ul>
 */
final class AdditiveGradients extends BackwardOracle<AdditiveRow> {

  private static final double TANH = 6e-7;
  private static final double SLOPE = 1e-6;
  private static final double LARGEST_POWER = 0x1p-28;
  private static final double LIMITED_ARGUMENT = 4 * Math.exp(-18);
  private static final double TANH_ITSELF = 7 * ScoreRow.FLOAT_UNIT;

  /** Arguments as native/cpu/README.md has them: where tanh itself begins, and where they end. */
  private static final double FAR = 34;

  private static final double FARTHEST = 43;
  private static final double LARGEST_POWER_ARGUMENT = 10;

  private final GradientSums dweight;
  private final GradientSums dbias;

  private AdditiveGradients(PairCase c, Operands data) {
    super(c, data, new AdditiveRow(c, data));
    dweight = new GradientSums(g.queryHeads(), g.headDim(), row);
    dbias = new GradientSums(g.queryHeads(), g.headDim(), row);
    add("dweight", DType.FLOAT32);
    add("dbias", DType.FLOAT32);
  }

  /** Computes a backward case: the gradients that it has, by name. */
  static Map<String, Expected> run(PairCase c, Operands data) {
    return new AdditiveGradients(c, data).run();
  }

  @Override
  boolean isPoisoned(int h) {
    return hasNaN("weight", c.layout("weight").at(h, 0, 0), g.headDim());
  }

  @Override
  void freeHead(int h) {
    dweight.free(h);
    dbias.free(h);
  }

  @Override
  void expectHead(int h) {
    if (c.has("dweight")) {
      expect("dweight", dweight, h, c.layout("dweight").at(h, 0, 0));
    }
    if (c.has("dbias")) {
      expect("dbias", dbias, h, c.layout("dbias").at(h, 0, 0));
    }
  }

  @Override
  void addScore(int h, int j, double ds, double dsError) {
    int key = row.begin() + j;
    dquery.begin(0);
    dkey.begin(key);
    dweight.begin(h);
    dbias.begin(h);
    boolean apart = row.farthest() > FAR && farthestKey(j) > FAR;
    for (int a = 0; a < g.headDim(); a++) {
      double t = row.tanh(j, a);
      double s = AdditiveRow.slope(t);
      double u = row.shifted(a) + row.key(j, a);
      double moved = row.argument(a, u);
      double slopeError = SLOPE * s + 2 * Math.abs(t) * s * moved + room(apart, j, a, u);
      double weight = Math.abs(row.weight(a));
      double du = ds * row.weight(a) * s;
      double size = Math.abs(du);
      double error =
          Math.abs(ds) * weight * slopeError
              + (dsError + 4 * ScoreRow.FLOAT_UNIT * Math.abs(ds)) * weight * (s + slopeError)
              + Oracle.FLUSHED * weight;
      dquery.add(0, a, du, size, error);
      dkey.add(key, a, du, size, error);
      dbias.add(h, a, du, size, error);
      double tanhError = dsError * Math.abs(t) + Math.abs(ds) * (TANH + s * moved);
      dweight.add(h, a, ds * t, Math.abs(ds) * (1 + Math.abs(1 - t)), tanhError);
    }
  }

  private double farthestKey(int j) {
    double most = 0;
    for (int a = 0; a < g.headDim(); a++) {
      most = Math.max(most, Math.abs(row.key(j, a)));
    }
    return most;
  }

  /** What 1 - t^2 may be off by, however small it is. */
  private double room(boolean apart, int j, int a, double u) {
    if (apart) {
      return TANH_ITSELF;
    }
    if (Math.abs(row.shifted(a)) > FARTHEST || Math.abs(row.key(j, a)) > FARTHEST) {
      return LIMITED_ARGUMENT;
    }
    return Math.abs(u) > LARGEST_POWER_ARGUMENT ? LARGEST_POWER : 0;
  }
}

package dev.fovea.testkit.additive;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.additive.AdditiveCase.Content;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The naive gradients of additive attention in float64, by the formulas of fovea.h from exactly the
 * operands that a backward is given, out and lse included, with the error that a right kernel may
 * make. With r_ij what dropout multiplies p_ij by, s = 1 - t^2 and t as in {@link Oracle},
 *
 * <pre>
 *   p_ij = exp(x_ij - lse_i);  g_ij = &lt;dout_i, v_j&gt;;  delta_i = &lt;dout_i, out_i&gt;
 *   w_ij = r_ij p_ij;  ds_ij = w_ij g_ij - p_ij delta_i;  du_ija = ds_ij weight_a s_ija
 *   dvalue_j = sum_i w_ij dout_i;  dquery_ia = sum_j du_ija;  dkey_ja = sum_i du_ija
 *   dbias_a = sum_ij du_ija;  dweight_a = sum_ij ds_ij t_ija
 * </pre>
 *
 * <p>Bounds, with u, c and e_ij, the error of a score, of {@link Oracle}:
 *
 * <ul>
 *   <li>p is exp of x - lse, both rounded before they cancel: its relative error is at most e =
 *       exp(e_ij + c (1 + |lse_i|) + 2 u |x_ij|) - 1.
 *   <li>g and delta err by c times G = sum |dout v| and D = sum |dout out|; outliers and constant
 *       data by a sum's 2 sqrt(Dv) u and Dv u where that is more. ds errs by e |ds| + c (w G + p
 *       D).
 *   <li>t errs by 6e-7, s by 1e-6 s (native/cpu/README.md). The argument's error m = u (|q + b| +
 *       |q + b + k|) moves t by s m, s by 2 |t| s m.
 *   <li>s near 0: powers end at 2^30, where s is 4 / 2^30, so it may be that much larger from an
 *       argument of 10 on. An argument beyond 43 counts as 43, which with one of at most 34 against
 *       it leaves 9, where s is 4 exp(-18). Where both are beyond 34, t is that of tanh itself, and
 *       s is 1 - t^2 of a t within 3 u: 7 u.
 *   <li>du errs by |ds weight| times the error of s, and by the error of ds and four roundings of
 *       its size times |weight| (s + its error).
 *   <li>t may be summed as 1 - (1 - t), so that terms of dweight have the size |ds| (1 + |1 - t|).
 *   <li>Sums of n terms err as in {@link Oracle}, by the sum of their sizes; all errors of terms
 *       may lean the same way. What is added to adds a rounding.
 * </ul>
 */
public final class BackwardOracle {

  private static final double TANH = 6e-7;
  private static final double SLOPE = 1e-6;
  private static final double LARGEST_POWER = 0x1p-28;
  private static final double LIMITED_ARGUMENT = 4 * Math.exp(-18);
  private static final double TANH_ITSELF = 7 * ScoreRow.FLOAT_UNIT;

  /** Arguments as native/cpu/README.md has them: where tanh itself begins, and where they end. */
  private static final double FAR = 34;

  private static final double FARTHEST = 43;
  private static final double LARGEST_POWER_ARGUMENT = 10;

  private final AdditiveCase c;
  private final Operands data;
  private final Geometry g;
  private final int[] cuQ;
  private final int[] cuK;
  private final ScoreRow row;
  private final GradientSums dquery;
  private final GradientSums dkey;
  private final GradientSums dvalue;
  private final GradientSums dweight;
  private final GradientSums dbias;
  private final Map<String, Expected> gradients = new LinkedHashMap<>();
  private final double[] dout;
  private final double perValue;

  private BackwardOracle(AdditiveCase c, Operands data) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    row = new ScoreRow(c, data);
    dquery = new GradientSums(1, g.headDim(), row);
    dkey = new GradientSums(g.keyLength(), g.headDim(), row);
    dvalue = new GradientSums(g.keyLength(), g.valueHeadDim(), row);
    dweight = new GradientSums(g.queryHeads(), g.headDim(), row);
    dbias = new GradientSums(g.queryHeads(), g.headDim(), row);
    dout = new double[g.valueHeadDim()];
    boolean coarse = c.content() == Content.CONSTANT || c.content() == Content.OUTLIERS;
    perValue = coarse ? Math.max(Oracle.ARITHMETIC, row.summation(dout.length)) : Oracle.ARITHMETIC;
    DType type = c.gradients().dtype();
    add("dquery", type);
    add("dkey", type);
    add("dvalue", type);
    add("dweight", DType.FLOAT32);
    add("dbias", DType.FLOAT32);
  }

  private void add(String name, DType type) {
    if (c.has(name)) {
      gradients.put(name, new Expected(type, c.layout(name).elements()));
    }
  }

  /** Computes a backward case: the gradients that it has, by name. */
  public static Map<String, Expected> run(AdditiveCase c, Operands data) {
    return new BackwardOracle(c, data).run();
  }

  private Map<String, Expected> run() {
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads(); kv++) {
        head(b, kv);
      }
    }
    for (int h = 0; h < g.queryHeads(); h++) {
      expectHead("dweight", dweight, h);
      expectHead("dbias", dbias, h);
    }
    return gradients;
  }

  private void head(int b, int kv) {
    boolean poisoned = row.load(b, kv) || poisonedRows(b, kv);
    dkey.clear(g.keyLength());
    dvalue.clear(g.keyLength());
    for (int h = kv * g.group(); h < (kv + 1) * g.group(); h++) {
      for (int i = 0; i < g.queryLength(); i++) {
        dquery.clear(1);
        if (i < g.lenQ(b)) {
          row(b, h, i, poisoned);
        } else if (g.packed()) {
          break;
        }
        Layout layout = c.layout("dquery");
        dquery.expect(gradients.get("dquery"), g.rowIndex(layout, cuQ, b, i, h), 0, null);
      }
    }
    for (int j = 0; j < g.roomK(b); j++) {
      int at = g.rowIndex(c.layout("dkey"), cuK, b, j, kv);
      dkey.expect(gradients.get("dkey"), at, j, data.get("dkey"));
      at = g.rowIndex(c.layout("dvalue"), cuK, b, j, kv);
      dvalue.expect(gradients.get("dvalue"), at, j, data.get("dvalue"));
    }
  }

  private void expectHead(String name, GradientSums sums, int h) {
    if (c.has(name)) {
      sums.expect(gradients.get(name), c.layout(name).at(h, 0, 0), h, data.get(name));
    }
  }

  /** True if a query of the group, or the weight of one of its heads, holds a NaN. */
  private boolean poisonedRows(int b, int kv) {
    boolean poisoned = false;
    for (int h = kv * g.group(); h < (kv + 1) * g.group(); h++) {
      poisoned |= hasNaN("weight", c.layout("weight").at(h, 0, 0));
      for (int i = 0; i < g.lenQ(b); i++) {
        poisoned |= hasNaN("query", g.rowIndex(c.layout("query"), cuQ, b, i, h));
      }
    }
    return poisoned;
  }

  private boolean hasNaN(String name, int at) {
    for (int a = at; a < at + g.headDim(); a++) {
      if (Float.isNaN(data.get(name)[a])) {
        return true;
      }
    }
    return false;
  }

  private void row(int b, int h, int i, boolean poisoned) {
    if (poisoned) {
      free(b, h);
    }
    double lse = data.get("lse")[g.lseIndex(c.layout("lse"), cuQ, b, h, i)];
    if (lse == Double.NEGATIVE_INFINITY) {
      return;
    }
    row.compute(h, i);
    boolean[] keep = row.keep(h, i);
    double dropFactor = c.options().dropFactor();
    int from = g.rowIndex(c.layout("dout"), cuQ, b, i, h);
    int outFrom = g.rowIndex(c.layout("out"), cuQ, b, i, h);
    double delta = 0;
    double deltaSize = 0;
    for (int d = 0; d < dout.length; d++) {
      dout[d] = data.get("dout")[from + d];
      double product = dout[d] * data.get("out")[outFrom + d];
      delta += product;
      deltaSize += Math.abs(product);
    }
    for (int j = 0; j < row.count(); j++) {
      double x = row.score(j);
      double p = Math.exp(x - lse);
      double exponent =
          row.error(j)
              + Oracle.ARITHMETIC * (1 + Math.abs(lse))
              + 2 * ScoreRow.FLOAT_UNIT * Math.abs(x);
      double relative = Math.expm1(exponent);
      double r = c.options().dropout() == 0 ? 1 : keep[j] ? dropFactor : 0;
      double w = r * p;
      double product = 0;
      double size = 0;
      for (int d = 0; d < dout.length; d++) {
        double term = dout[d] * row.value(j, d);
        product += term;
        size += Math.abs(term);
      }
      double ds = w * product - p * delta;
      double error =
          relative * Math.abs(ds)
              + perValue * (w * size + p * deltaSize)
              + Oracle.FLUSHED * (1 + dropFactor * size + deltaSize);
      addValue(row.begin() + j, w, relative * w + Oracle.FLUSHED * dropFactor);
      addScore(h, j, ds, error);
    }
  }

  /** A NaN that a row or a key does not see may or may not have been multiplied by zero. */
  private void free(int b, int h) {
    dquery.free(0);
    for (int j = 0; j < g.lenK(b); j++) {
      dkey.free(j);
      dvalue.free(j);
    }
    dweight.free(h);
    dbias.free(h);
  }

  private void addValue(int key, double w, double error) {
    dvalue.begin(key);
    for (int d = 0; d < dout.length; d++) {
      double size = Math.abs(dout[d]);
      dvalue.add(key, d, w * dout[d], w * size, error * size);
    }
  }

  /** A score's gradient and the bound of its error. */
  private void addScore(int h, int j, double ds, double dsError) {
    int key = row.begin() + j;
    dquery.begin(0);
    dkey.begin(key);
    dweight.begin(h);
    dbias.begin(h);
    boolean apart = row.farthest() > FAR && farthestKey(j) > FAR;
    for (int a = 0; a < g.headDim(); a++) {
      double t = row.tanh(j, a);
      double s = ScoreRow.slope(t);
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

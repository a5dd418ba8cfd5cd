package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.pairs.PairCase.Content;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The naive gradients in float64, by the formulas of fovea.h from exactly the operands that a
 * backward is given, out and lse included, with the error that a right kernel may make. With r_ij
 * what dropout multiplies p_ij by,
 *
 * <pre>
 *   p_ij = exp(x_ij - lse_i);  g_ij = &lt;dout_i, v_j&gt;;  delta_i = &lt;dout_i, out_i&gt;
 *   w_ij = r_ij p_ij;  ds_ij = w_ij g_ij - p_ij delta_i;  dvalue_j = sum_i w_ij dout_i
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
 *   <li>Sums of n terms err as in {@link Oracle}, by the sum of their sizes; all errors of terms
 *       may lean the same way. What is added to adds a rounding.
 * </ul>
 *
 * <p>What ds gives to query and key and to what each head has, its subclasses say.
 *
 * @param <R> the scores of a row
 */
abstract class BackwardOracle<R extends ScoreRow> {

  final PairCase c;
  final Operands data;
  final Geometry g;
  final R row;
  final GradientSums dquery;
  final GradientSums dkey;
  private final int[] cuQ;
  private final int[] cuK;
  private final GradientSums dvalue;
  private final Map<String, Expected> gradients = new LinkedHashMap<>();
  private final double[] dout;
  final double perValue; // relative error of <dout, value>
  // Of the row that is computed, by key that it sees:
  final double[] r; // what dropout multiplies by
  final double[] products; // <dout, value>
  final double[] sizes; // of the terms of these
  private double lse;
  private double delta;
  private double deltaSize;

  /** Of a case, whose scores are those of {@code row}. */
  BackwardOracle(PairCase c, Operands data, R row) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    this.row = row;
    dquery = new GradientSums(1, g.headDim(), row);
    dkey = new GradientSums(g.keyLength(), g.headDim(), row);
    dvalue = new GradientSums(g.keyLength(), g.valueHeadDim(), row);
    dout = new double[g.valueHeadDim()];
    r = new double[g.keyLength()];
    products = new double[g.keyLength()];
    sizes = new double[g.keyLength()];
    boolean coarse = c.content() == Content.CONSTANT || c.content() == Content.OUTLIERS;
    perValue = coarse ? Math.max(Oracle.ARITHMETIC, row.summation(dout.length)) : Oracle.ARITHMETIC;
    DType type = c.gradients().dtype();
    add("dquery", type);
    add("dkey", type);
    add("dvalue", type);
  }

  /** Says that there is that gradient, if the case has it. */
  final void add(String name, DType type) {
    if (c.has(name)) {
      gradients.put(name, new Expected(type, c.layout(name).elements()));
    }
  }

  /** Adds a score's gradient, whose error is bounded by {@code dsError}, to all others. */
  abstract void addScore(int h, int j, double ds, double dsError);

  /** The gradients of what each head has may be anything that is not NaN, for that head. */
  abstract void freeHead(int h);

  /** Says what the gradients of what each head has must be. */
  abstract void expectHead(int h);

  /** True if what head {@code h} has holds a NaN. */
  abstract boolean isPoisoned(int h);

  /** The gradients that the case has, by name. */
  final Map<String, Expected> run() {
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads(); kv++) {
        head(b, kv);
      }
    }
    for (int h = 0; h < g.queryHeads(); h++) {
      expectHead(h);
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

  /** Says what row {@code at} of such a gradient must be, at that index. */
  final void expect(String name, GradientSums sums, int at, int index) {
    if (c.has(name)) {
      sums.expect(gradients.get(name), index, at, data.get(name));
    }
  }

  /** True if a query of the group, or what one of its heads has, holds a NaN. */
  private boolean poisonedRows(int b, int kv) {
    boolean poisoned = false;
    for (int h = kv * g.group(); h < (kv + 1) * g.group(); h++) {
      poisoned |= isPoisoned(h);
      for (int i = 0; i < g.lenQ(b); i++) {
        poisoned |= hasNaN("query", g.rowIndex(c.layout("query"), cuQ, b, i, h), g.headDim());
      }
    }
    return poisoned;
  }

  /** True if any of {@code width} elements is one. */
  final boolean hasNaN(String name, int at, int width) {
    for (int a = at; a < at + width; a++) {
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
    lse = data.get("lse")[g.lseIndex(c.layout("lse"), cuQ, b, h, i)];
    if (lse == Double.NEGATIVE_INFINITY) {
      return;
    }
    row.compute(h, i);
    boolean[] keep = row.keep(h, i);
    int from = g.rowIndex(c.layout("dout"), cuQ, b, i, h);
    int outFrom = g.rowIndex(c.layout("out"), cuQ, b, i, h);
    delta = 0;
    deltaSize = 0;
    for (int d = 0; d < dout.length; d++) {
      dout[d] = data.get("dout")[from + d];
      double product = dout[d] * data.get("out")[outFrom + d];
      delta += product;
      deltaSize += Math.abs(product);
    }
    for (int j = 0; j < row.count(); j++) {
      r[j] = c.options().dropout() == 0 ? 1 : keep[j] ? c.options().dropFactor() : 0;
      products[j] = 0;
      sizes[j] = 0;
      for (int d = 0; d < dout.length; d++) {
        double term = dout[d] * row.value(j, d);
        products[j] += term;
        sizes[j] += Math.abs(term);
      }
    }
    addRow(b, h);
  }

  /** Adds the gradients of the row that is computed. */
  void addRow(int b, int h) {
    double dropFactor = c.options().dropFactor();
    for (int j = 0; j < row.count(); j++) {
      double x = row.score(j);
      double p = Math.exp(x - lse);
      double exponent =
          row.error(j)
              + Oracle.ARITHMETIC * (1 + Math.abs(lse))
              + 2 * ScoreRow.FLOAT_UNIT * Math.abs(x);
      double relative = Math.expm1(exponent);
      double w = r[j] * p;
      double ds = w * products[j] - p * delta;
      double error =
          relative * Math.abs(ds)
              + perValue * (w * sizes[j] + p * deltaSize)
              + Oracle.FLUSHED * (1 + dropFactor * sizes[j] + deltaSize);
      addValue(row.begin() + j, w, relative * w + Oracle.FLUSHED * dropFactor);
      addScore(h, j, ds, error);
    }
  }

  /** A NaN that a row or a key does not see may or may not have been multiplied by zero. */
  final void free(int b, int h) {
    dquery.free(0);
    for (int j = 0; j < g.lenK(b); j++) {
      dkey.free(j);
      dvalue.free(j);
    }
    freeHead(h);
  }

  /** Adds what a weight, of dropout, gives to dvalue. */
  final void addValue(int key, double w, double error) {
    dvalue.begin(key);
    for (int d = 0; d < dout.length; d++) {
      double size = Math.abs(dout[d]);
      dvalue.add(key, d, w * dout[d], Math.abs(w) * size, error * size);
    }
  }
}

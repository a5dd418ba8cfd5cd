package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Sigmoid;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The naive gradients of attention in float64, by the formulas of fovea.h from exactly the operands
 * that a backward is given, out and lse included, with the error that a right kernel may make.
 * Nothing here is tiled or shared with any backend. With r_ij what dropout multiplies p_ij by, s_j
 * the sigmoid of a gate of a key, and dout_i times that of a gate of out, where there are such,
 *
 * <pre>
 *   p_ij = exp(x_ij - lse_i);  g_ij = &lt;dout_i, v_j&gt;;  delta_i = &lt;dout_i, out_i&gt;
 *   w_ij = r_ij p_ij s_j;  ds_ij = w_ij g_ij - p_ij delta_i;  T_ij = ds_ij (1 - tanh^2)
 *   dgate_j = s'_j sum_i r_ij p_ij g_ij;  dvalue_j = sum_i w_ij dout_i;  dquery_i = scale sum_j T_ij k_j;  dkey_j = scale sum_i T_ij q_i
 * </pre>
 *
 * <p>Bounds, with c = 4e-7 and s = 2 sqrt(n) 2^-24, the constants of {@link Oracle} for some seven
 * float32 roundings and for a float32 sum of n terms, and with A_ij = scale sum_d |q_id k_jd|:
 *
 * <ul>
 *   <li>p is exp of x - lse, which are both computed or converted in float32 before they cancel:
 *       its relative error is at most e = exp(c (1 + A_ij + |b_ij| + |lse_i|)) - 1.
 *   <li>g and delta err by c times G = sum |dout v| and D = sum |dout out|, the sums of sizes:
 *       their difference may cancel, its error does not. So ds errs by e |ds| + c (w G + p D). That
 *       is what dbias and the slopes' gradients sum.
 *   <li>1 - tanh^2, of a tanh within two ulps, errs by c (1 + 2 (1 - tanh^2) |tanh| A / softcap),
 *       see {@link OracleRow#cap}.
 *   <li>With a content bias u, a position bias w and keys of distances r, x is that of {@link
 *       Oracle}, dquery_i has the terms T_ij r_t as well, with t = position_i - j, du and dw are
 *       the sums of T_ij k_j and T_ij r_t over all i and j, and dr_t that of T_ij (q_i + w), where
 *       q_i + w, as q_i + u in dkey, is what was multiplied: rounded.
 *   <li>A gate errs as {@link dev.fovea.testkit.Sigmoid} says, and so do, times what they are
 *       multiplied by, w of a key and dout of a column; where products take dout rounded, that is
 *       nothing or a step where the boundary between two numbers is nearer than the error.
 *   <li>Sums of n terms err by s times the sum of their sizes; all else is summed as it stands,
 *       size by size, which allows all errors to lean the same way.
 *   <li>Tensor cores take w and T rounded to the input dtype: half an ulp of each, subnormal or
 *       not, of float16 times the powers of two in {@link Precision}, those of T relative to the
 *       largest |g - delta| that there may be, max_i |dout_i| max_j |v_j| r + |delta_i|; and what
 *       p's half ulp becomes where it is rounded before dropout scales it. If dout has another
 *       dtype than they take, it too is rounded, to what is known: it moves g by exactly
 *       &lt;round(dout) - dout, v&gt;, and dvalue by w |round(dout) - dout|.
 *   <li>Tensor cores cut their sums, by t(n) of the sum of sizes of n products, see {@link Oracle}:
 *       x errs by t(D) A_ij more, which adds to the exponent of e, g by t(Dv) G, and dquery, dkey
 *       and dvalue by t(n) of the sizes of their n terms. All other sums are float32 arithmetic.
 *   <li>Products of float32 are exact to float32, whatever the forward was allowed to round.
 *   <li>The last rounding, to the gradient's dtype, is that of the computed sum, which may be
 *       larger than the exact one; what is added to adds a float32 rounding.
 * </ul>
 *
 * <p>The root mean square is bounded from the same roundings as independent errors, uniform within
 * their half ulps, see {@link Expected#allowedRmse}. Constant data, a scale of 0 and queries that
 * share memory make weights alike, which round alike: they have no bound of the mean.
 */
public final class BackwardOracle {

  private final BackwardCase backward;
  private final AttentionCase c;
  private final BackwardOperands data;
  private final Geometry geometry;
  private final int[] cuQ;
  private final int[] cuK;
  private final OracleHead head;
  private final BackwardRow terms;
  private final Precision precision;
  private final Factors keys; // times scale
  private final Factors query; // times scale
  private final GradientSums dqueryRow;
  private final GradientSums dkeyRows;
  private final GradientSums dvalueRows;
  private final GradientSums dbiasSums;
  private final PositionSums positionSums;
  private final GradientSums dtableSums;
  private final GradientSums dmodifierSums;
  private final GradientSums dalibiSums;
  private final GradientSums dkeyGateSums;
  private final GradientSums doutputGateSums;
  private final List<GradientSums> drowSums;
  private final GradientSums dsinkSums;
  private final Gradients gradients;

  /** Expected gradients; null where the case does not ask for them. */
  public record Gradients(
      Expected dquery,
      Expected dkey,
      Expected dvalue,
      Expected dbias,
      Expected dtable,
      Expected dmodifierTable,
      Expected dalibi,
      Expected dkeyGates,
      Expected doutputGates,
      List<Expected> drows,
      Expected dcontentBias,
      Expected dpositionBias,
      Expected dpositionKeys,
      Expected dsinks) {

    /** All gradients in one order; those that are not asked for are null. */
    List<Expected> all() {
      List<Expected> all =
          new ArrayList<>(
              Arrays.asList(dquery, dkey, dvalue, dbias, dmodifierTable, dtable, dalibi));
      all.addAll(drows);
      all.addAll(Arrays.asList(dkeyGates, doutputGates));
      all.addAll(Arrays.asList(dcontentBias, dpositionBias, dpositionKeys));
      all.add(dsinks);
      return all;
    }
  }

  private BackwardOracle(BackwardCase backward, BackwardOperands data, Precision precision) {
    this.backward = backward;
    this.data = data;
    c = backward.forward();
    geometry = c.geometry();
    cuQ = geometry.cuQ();
    cuK = geometry.cuK();
    head = new OracleHead(c, data.forward(), precision, null);
    terms = new BackwardRow(c, head, precision);
    this.precision = precision;
    double least = precision.leastFactor(c.options().dtype());
    keys = new Factors(geometry.keyLength() * geometry.headDim(), least);
    query = new Factors(geometry.headDim(), least);
    dqueryRow = products(1, geometry.headDim());
    dkeyRows = products(geometry.keyLength(), geometry.headDim());
    dvalueRows = products(geometry.keyLength(), geometry.valueHeadDim());
    BackwardCase.Layouts layouts = backward.layouts();
    dbiasSums = sums(layouts.dbias());
    positionSums = new PositionSums(backward, head, terms, precision);
    dtableSums = sums(layouts.dtable());
    dmodifierSums = sums(layouts.dmodifierTable());
    dalibiSums = sums(layouts.dalibi());
    dkeyGateSums = sums(layouts.dkeyGates());
    doutputGateSums = sums(layouts.doutputGates());
    drowSums = layouts.drows().stream().map(this::sums).toList();
    dsinkSums = backward.dsinks() ? sums(geometry.queryHeads()) : null;
    gradients =
        new Gradients(
            expected(backward.dtype(), layouts.dquery()),
            expected(backward.dtype(), layouts.dkey()),
            expected(backward.dtype(), layouts.dvalue()),
            expected(DType.FLOAT32, layouts.dbias()),
            expected(DType.FLOAT32, layouts.dtable()),
            expected(DType.FLOAT32, layouts.dmodifierTable()),
            expected(DType.FLOAT32, layouts.dalibi()),
            expected(DType.FLOAT32, layouts.dkeyGates()),
            expected(DType.FLOAT32, layouts.doutputGates()),
            layouts.drows().stream().map(it -> expected(DType.FLOAT32, it)).toList(),
            positionSums.dcontentBias(),
            positionSums.dpositionBias(),
            positionSums.dpositionKeys(),
            backward.dsinks() ? new Expected(DType.FLOAT32, geometry.queryHeads()) : null);
  }

  /** Sums that are rows of a matrix product. */
  private GradientSums products(int rows, int width) {
    return new GradientSums(rows, width, c, head, precision);
  }

  /** Sums of numbers, by float32 arithmetic. */
  private GradientSums sums(int rows) {
    return new GradientSums(rows, 1, c, head, Precision.CPU);
  }

  private GradientSums sums(Layout layout) {
    return layout == null ? null : sums(layout.elements());
  }

  private static Expected expected(DType type, Layout layout) {
    return layout == null ? null : new Expected(type, layout.elements());
  }

  /** Computes a case. */
  public static Gradients run(BackwardCase c, BackwardOperands data, Precision precision) {
    return new BackwardOracle(c, data, precision.ofBackward(c.forward())).run();
  }

  private Gradients run() {
    for (int b = 0; b < geometry.batch(); b++) {
      for (int kv = 0; kv < geometry.keyHeads(); kv++) {
        boolean poisoned = load(b, kv);
        for (int h = kv * geometry.group(); h < (kv + 1) * geometry.group(); h++) {
          for (int i = 0; i < geometry.lenQ(b); i++) {
            row(b, h, i, poisoned);
          }
          for (int i = geometry.lenQ(b); i < geometry.queryLength() && !geometry.packed(); i++) {
            dqueryRow.clear(1);
            dqueryRow.expect(
                gradients.dquery, at(backward.layouts().dquery(), cuQ, b, i, h), 0, null);
          }
        }
        expectKeys(b, kv);
      }
    }
    expectAll(dbiasSums, backward.layouts().dbias(), gradients.dbias);
    expectAll(dtableSums, backward.layouts().dtable(), gradients.dtable);
    expectAll(dmodifierSums, backward.layouts().dmodifierTable(), gradients.dmodifierTable);
    expectAll(dalibiSums, backward.layouts().dalibi(), gradients.dalibi);
    expectAll(dkeyGateSums, backward.layouts().dkeyGates(), gradients.dkeyGates);
    expectAll(doutputGateSums, backward.layouts().doutputGates(), gradients.doutputGates);
    for (int k = 0; k < drowSums.size(); k++) {
      expectAll(drowSums.get(k), backward.layouts().drows().get(k), gradients.drows.get(k));
    }
    positionSums.expect();
    for (int h = 0; dsinkSums != null && h < geometry.queryHeads(); h++) {
      dsinkSums.expect(gradients.dsinks, h, h, null);
    }
    return gradients;
  }

  private int at(Layout layout, int[] cu, int b, int i, int h) {
    return c.rowIndex(layout, cu, b, i, h);
  }

  /** Gathers one key/value head; true if it or one of its queries holds a NaN. */
  private boolean load(int b, int kv) {
    boolean poisoned = head.load(b, kv);
    terms.load();
    int width = geometry.headDim();
    int length = head.length();
    for (int j = 0; j < length; j++) {
      for (int d = 0; d < width; d++) {
        keys.set(j * width + d, head.keysTransposed().value()[d * length + j], head.scale());
      }
    }
    dkeyRows.clear(geometry.keyLength());
    dvalueRows.clear(geometry.keyLength());
    for (int h = kv * geometry.group(); h < (kv + 1) * geometry.group(); h++) {
      for (int i = 0; i < geometry.lenQ(b); i++) {
        int at = at(c.layouts().query(), cuQ, b, i, h);
        for (int d = 0; d < width; d++) {
          poisoned |= Float.isNaN(data.forward().query()[at + d]);
        }
      }
    }
    if (precision.roundsFactors()) {
      terms.bound(most(b, kv));
    }
    return poisoned;
  }

  /** What no |g - delta| of the rows of a key/value head exceeds. */
  private double most(int b, int kv) {
    double norm = terms.valueNorm();
    double most = 0;
    for (int h = kv * geometry.group(); h < (kv + 1) * geometry.group(); h++) {
      for (int i = 0; i < geometry.lenQ(b); i++) {
        if (!data.isDead(c, b, h, i)) {
          loadRow(b, h, i);
          most = Math.max(most, terms.most(norm));
        }
      }
    }
    return most;
  }

  private void loadRow(int b, int h, int i) {
    int doutRow = at(backward.layouts().dout(), cuQ, b, i, h);
    int outRow = at(c.layouts().out(), cuQ, b, i, h);
    terms.load(h, i, data.dout(), doutRow, data.out(), outRow);
  }

  private void row(int b, int h, int i, boolean poisoned) {
    dqueryRow.clear(1);
    double lse = data.lse()[c.lseIndex(cuQ, b, h, i)];
    int dbiasRow =
        dbiasSums == null ? 0 : Operands.biasRow(c, backward.layouts().dbias(), cuQ, b, h, i);
    if (poisoned) {
      free(h, i, dbiasRow);
    }
    if (!data.isDead(c, b, h, i)) {
      loadRow(b, h, i);
      add(h, i, terms.compute(h, i, lse), dbiasRow);
      addSink(h, lse);
      addOutputGates(b, h, i);
    }
    dqueryRow.expect(gradients.dquery, at(backward.layouts().dquery(), cuQ, b, i, h), 0, null);
  }

  /** A NaN that a row or a key does not see may or may not have been multiplied by zero. */
  private void free(int h, int i, int dbiasRow) {
    dqueryRow.free(0, 1);
    dkeyRows.free(0, head.length());
    dvalueRows.free(0, head.length());
    if (dbiasSums != null) {
      dbiasSums.free(dbiasRow, dbiasRow + head.length());
    }
    positionSums.free(h);
    for (int n = 0; dtableSums != null && n < c.options().relative().columns(); n++) {
      int at = backward.layouts().dtable().at(0, h, n);
      dtableSums.free(at, at + 1);
    }
    for (int n = 0; dmodifierSums != null && n < Modifier.COLUMNS; n++) {
      int at = backward.layouts().dmodifierTable().atBroadcast(0, h, n);
      dmodifierSums.free(at, at + 1);
    }
    if (dalibiSums != null) {
      int at = head.slopeIndex(backward.layouts().dalibi(), h);
      dalibiSums.free(at, at + 1);
    }
    if (dkeyGateSums != null) {
      int at = head.gateIndex(backward.layouts().dkeyGates(), h);
      dkeyGateSums.free(at, at + head.length());
    }
    for (int k = 0; k < drowSums.size(); k++) {
      int at = head.rowIndex(backward.layouts().drows().get(k), h, i);
      drowSums.get(k).free(at, at + 1);
    }
    if (dsinkSums != null) {
      dsinkSums.free(h, h + 1);
    }
  }

  private void add(int h, int i, OracleRow row, int dbiasRow) {
    int width = geometry.headDim();
    for (int d = 0; d < width; d++) {
      query.set(d, row.query().value()[d], head.scale());
    }
    positionSums.begin(h, row);
    for (int j = 0; j < row.count(); j++) {
      if (row.isHidden(j)) {
        continue;
      }
      int key = head.begin() + j;
      dqueryRow.add(0, terms.unscaled(), j, keys, key * width);
      dkeyRows.add(key, terms.unscaled(), j, query, 0);
      positionSums.add(h, i, j, dqueryRow, keys);
      dvalueRows.add(key, terms.weights(), j, terms.dout(), 0);
      if (c.options().gates().hasOutput()) {
        dvalueRows.addErrors(key, row.dropped(j), terms.unsure());
      }
      if (precision.roundsFactors()) {
        dvalueRows.addLost(key, row.dropped(j), terms.lost());
      }
      if (dbiasSums != null) {
        dbiasSums.add(dbiasRow + key, terms.scores(), j, 1);
      }
      if (dtableSums != null) {
        int at = head.tableIndex(backward.layouts().dtable(), h, i, j);
        dtableSums.add(at, terms.scores(), j, 1);
      }
      for (int n = 0; dmodifierSums != null && n < head.loads(); n++) {
        addLookedUp(h, n, row, j);
      }
      if (dalibiSums != null) {
        int at = head.slopeIndex(backward.layouts().dalibi(), h);
        dalibiSums.add(at, terms.scores(), j, head.distance(i, j));
      }
      if (dkeyGateSums != null) {
        int at = head.gateIndex(backward.layouts().dkeyGates(), h);
        dkeyGateSums.add(at + key, terms.gates(), j, 1);
      }
      for (int k = 0; k < drowSums.size(); k++) {
        int at = head.rowIndex(backward.layouts().drows().get(k), h, i);
        drowSums.get(k).add(at, terms.scores(), j, head.derivative(k, h, i, j));
      }
    }
  }

  /**
   * dS times what the softcap leaves of it, times the derivative by what was looked up: the product
   * of three, each with its own error.
   */
  private void addLookedUp(int h, int n, OracleRow row, int j) {
    ModifierTrace.Bounded by = head.byLoad(n, j);
    double unit = head.perProduct(geometry.headDim());
    double cap = row.capSlope(j);
    double size = terms.scores().size(j);
    int at = head.loadIndex(backward.layouts().dmodifierTable(), n, h, j);
    dmodifierSums.add(at, terms.scores(), j, cap * by.value());
    dmodifierSums.addError(
        at, size * unit * (cap * by.error() + (2 + row.slopeError(j)) * Math.abs(by.value())));
  }

  /** sigmoid'(g) dout out, out before its gates. */
  private void addOutputGates(int b, int h, int i) {
    if (doutputGateSums == null) {
      return;
    }
    Layout layout = backward.layouts().doutputGates();
    int row = at(layout, cuQ, b, i, h);
    int doutRow = at(backward.layouts().dout(), cuQ, b, i, h);
    int outRow = at(c.layouts().out(), cuQ, b, i, h);
    for (int d = 0; d < geometry.valueHeadDim(); d++) {
      double product = (double) data.dout()[doutRow + d] * data.out()[outRow + d];
      double logit = head.outputGate(h, i, d);
      double error = Sigmoid.gradientError(product, Sigmoid.UNIT * Math.abs(product), logit, 0);
      int element = layout.size()[3] == 1 ? row : row + d;
      doutputGateSums.add(element, Sigmoid.gradient(product, logit), error);
    }
  }

  /** -exp(sink - lse) delta, where exp errs as it does in p. */
  private void addSink(int h, double lse) {
    if (dsinkSums != null) {
      double sink = data.forward().sinks()[h];
      double weight = Math.exp(sink - lse);
      double relative = Math.expm1(head.perProduct(1) * (1 + Math.abs(sink) + Math.abs(lse)));
      double error = weight * (relative * Math.abs(terms.delta()) + terms.deltaError());
      dsinkSums.add(h, -weight * terms.delta(), error + Oracle.FLUSHED * Math.abs(terms.delta()));
    }
  }

  /** Gradients of the keys and values of a head, those of padding included. */
  private void expectKeys(int b, int kv) {
    for (int j = 0; j < geometry.roomK(b); j++) {
      int at = at(backward.layouts().dkey(), cuK, b, j, kv);
      dkeyRows.expect(gradients.dkey, at, j, data.dkey());
      at = at(backward.layouts().dvalue(), cuK, b, j, kv);
      dvalueRows.expect(gradients.dvalue, at, j, data.dvalue());
    }
  }

  /** Every element of a tensor whose sums are kept by their place in its buffer. */
  private static void expectAll(GradientSums sums, Layout layout, Expected gradient) {
    if (layout == null) {
      return;
    }
    long[] size = layout.size();
    for (int a = 0; a < size[0]; a++) {
      for (int b = 0; b < size[1]; b++) {
        for (int i = 0; i < size[2]; i++) {
          int at = layout.at(a, b, i);
          for (int j = at; j < at + size[3]; j++) {
            sums.expect(gradient, j, j, null);
          }
        }
      }
    }
  }
}

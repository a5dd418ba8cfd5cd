package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Sigmoid;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Options.Alibi;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A backward in float32, with the roundings of a device, written from the formulas a second time:
 * pair by pair, sums from the first term to the last. With a bug, if asked.
 */
final class EmulatedBackward {

  private static final float LOG2_E = 1.4426950408889634f;
  private static final List<String> NAMES =
      List.of("dquery", "dkey", "dvalue", "dbias", "dmodifierTable", "dtable", "dalibi");

  /** Usual bugs. */
  enum Bug {
    NONE,
    /** ds = p r g. */
    LOST_DELTA,
    /** The slope of the softcap is 1. */
    LOST_SLOPE,
    /** The scale is forgotten in dkey. */
    LOST_SCALE,
    /** dkey and dvalue of the last head alone. */
    LAST_OF_GROUP,
    /** Each head of a group rounds its dkey before they are summed. */
    ROUNDED_HEADS,
    /** Every key takes the dropout of its right neighbour. */
    DROPOUT_OF_NEIGHBOUR,
    /** Dropout in dvalue alone. */
    DROPOUT_LOST_IN_SCORES,
    /** The last visible key is skipped. */
    KEY_TOO_EARLY,
    /** The last eight visible keys are skipped where there are more. */
    TILE_TOO_EARLY,
    /** One key more than is visible, where there is one. */
    KEY_TOO_LATE,
    /** dkey_j takes T_ji, where there is one. */
    TRANSPOSED,
    /** dquery of key heads counted round instead of by group. */
    WRONG_HEAD,
    /** What dkey held is lost. */
    NOT_ADDED,
    /** dbias of the last query alone, where queries share a bias. */
    BIAS_NOT_SUMMED,
    /** The sign of ALiBi's distance. */
    SIGN_OF_DISTANCE,
    /** dsink without the weight of the sink. */
    SINK_UNWEIGHTED,
    /** Keys take those of the distance before theirs, where there is one. */
    DISTANCE_OF_NEIGHBOUR,
    /** Biases of queries are not in the gradients of what queries are multiplied by. */
    UNBIASED_QUERY,
    /** Keys of distances add nothing to dquery. */
    LOST_POSITIONS,
    /** Gradients are cut, not rounded. */
    CUT
  }

  private final BackwardCase backward;
  private final AttentionCase c;
  private final BackwardOperands data;
  private final Operands forward;
  private final boolean weights16; // weights and dout are rounded to the dtype of the case
  private final Bug bug;
  private final Geometry g;
  private final int[] cuQ;
  private final int[] cuK;
  private final Options o;
  private final float scale;
  private final float[] dquery;
  private final float[] dkey;
  private final float[] dvalue;
  private final float[] dbias;
  private final ModifierTrace modifier; // null: none
  private final float[] dmodifier;
  private final float[] dtable;
  private final float[] dalibi;
  private final List<float[]> drows = new ArrayList<>();
  private final float[] dcontentBias;
  private final float[] dpositionBias;
  private final float[] dpositionKeys;
  private final float[] dkeyGates;
  private final float[] doutputGates;
  private final float[] gatedDout; // of a row
  private final float[] dsinks;

  // Of the pair whose score was computed last:
  private ModifierTrace.Value modified; // or null
  private float capSlope;
  private float right; // how far the key is to the right of the query
  private int column; // of the relative table

  private EmulatedBackward(
      BackwardCase backward, BackwardOperands data, Precision precision, Bug bug) {
    this.backward = backward;
    this.data = data;
    this.bug = bug;
    c = backward.forward();
    forward = data.forward();
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    o = c.options();
    weights16 = precision.weightUnit(o.dtype()) > 0;
    scale = o.scale() != null ? o.scale() : (float) (1 / Math.sqrt(g.headDim()));
    BackwardCase.Layouts layouts = backward.layouts();
    dquery = new float[layouts.dquery().elements()];
    dkey = new float[layouts.dkey().elements()];
    dvalue = new float[layouts.dvalue().elements()];
    dbias = zeros(layouts.dbias());
    modifier = o.modifier() == null ? null : new ModifierTrace(c, forward.modifierTable(), 0x1p-24);
    dmodifier = zeros(layouts.dmodifierTable());
    dtable = zeros(layouts.dtable());
    dalibi = zeros(layouts.dalibi());
    layouts.drows().forEach(it -> drows.add(new float[it.elements()]));
    dcontentBias = zeros(layouts.dcontentBias());
    dpositionBias = zeros(layouts.dpositionBias());
    dpositionKeys = zeros(layouts.dpositionKeys());
    dkeyGates = zeros(layouts.dkeyGates());
    doutputGates = zeros(layouts.doutputGates());
    gatedDout = new float[g.valueHeadDim()];
    dsinks = new float[g.queryHeads()];
  }

  private static float[] zeros(Layout layout) {
    return new float[layout == null ? 0 : layout.elements()];
  }

  /** What comparing the emulated gradients with the expected says: null, or the first wrong one. */
  static String verdict(
      BackwardCase c, BackwardOperands data, Precision precision, Bug bug, Gradients expected) {
    List<MemorySegment> memory = run(c, data, precision, bug, expected);
    for (int n = 0; n < memory.size(); n++) {
      if (memory.get(n) != null) {
        String wrong = Comparison.compare(name(c, n), memory.get(n), expected.all().get(n));
        if (wrong != null) {
          return wrong;
        }
      }
    }
    return null;
  }

  private static String name(BackwardCase c, int n) {
    int row = n - NAMES.size();
    int rows = c.layouts().drows().size();
    return row < 0
        ? NAMES.get(n)
        : row < rows
            ? "d" + c.forward().options().rows().get(row).kind().operand()
            : List.of(
                    "dkeyGates",
                    "doutputGates",
                    "dcontentBias",
                    "dpositionBias",
                    "dpositionKeys",
                    "dsinks")
                .get(row - rows);
  }

  /** The gradients in the order of {@link Gradients#all}. */
  static List<MemorySegment> run(
      BackwardCase c, BackwardOperands data, Precision precision, Bug bug, Gradients expected) {
    EmulatedBackward run = new EmulatedBackward(c, data, precision, bug);
    for (int b = 0; b < run.g.batch(); b++) {
      for (int h = 0; h < run.g.queryHeads(); h++) {
        for (int i = 0; i < run.g.lenQ(b); i++) {
          run.row(b, h, i);
        }
        if (bug == Bug.ROUNDED_HEADS) {
          run.round(run.dkey);
        }
      }
    }
    List<float[]> got = new ArrayList<>();
    got.addAll(List.of(run.dquery, run.dkey, run.dvalue, run.dbias));
    got.addAll(List.of(run.dmodifier, run.dtable, run.dalibi));
    got.addAll(run.drows);
    got.addAll(List.of(run.dkeyGates, run.doutputGates));
    got.addAll(List.of(run.dcontentBias, run.dpositionBias, run.dpositionKeys));
    got.add(run.dsinks);
    boolean added = bug != Bug.NOT_ADDED;
    List<MemorySegment> memory = new ArrayList<>();
    for (int n = 0; n < got.size(); n++) {
      Expected gradient = expected.all().get(n);
      float[] before = n == 1 && added ? data.dkey() : n == 2 && added ? data.dvalue() : null;
      memory.add(gradient == null ? null : run.written(gradient, got.get(n), before));
    }
    return memory;
  }

  private MemorySegment written(Expected expected, float[] got, float[] before) {
    DType type = expected.dtype();
    MemorySegment memory = MemorySegment.ofArray(new byte[got.length * Rounding.bytes(type)]);
    int[] bits = Rounding.canaries(type, got.length);
    for (int i = 0; i < got.length; i++) {
      if (expected.state(i) != Expected.UNTOUCHED) {
        float sum = before == null ? got[i] : before[i] + got[i];
        float written = bug == Bug.CUT ? cut(type, sum) : Rounding.round(type, sum);
        bits[i] = Rounding.bits(type, written);
      }
    }
    Rounding.writeBits(memory, type, bits);
    return memory;
  }

  private static float cut(DType type, float value) {
    float rounded = Rounding.round(type, value);
    double step = 2 * Rounding.halfUlp(type, value);
    return Math.abs(rounded) > Math.abs(value)
        ? (float) (rounded - Math.signum(value) * step)
        : rounded;
  }

  private void round(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = Rounding.round(backward.dtype(), values[i]);
    }
  }

  /** What a product takes for a factor, which it multiplies by a power of two first if it must. */
  private float factor(float x) {
    int exponent = Math.clamp(Math.getExponent(x), -126, 127);
    return Math.scalb(converted(Math.scalb(x, -exponent)), exponent);
  }

  /** A factor of another dtype than that of the case: a weight, or dout. */
  private float converted(float value) {
    return weights16 ? Rounding.round(o.dtype(), value) : value;
  }

  private void row(int b, int h, int i) {
    int kv = bug == Bug.WRONG_HEAD ? h % g.keyHeads() : c.keyHead(h);
    int doutRow = c.rowIndex(backward.layouts().dout(), cuQ, b, i, h);
    int outRow = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
    float lse = data.lse()[c.lseIndex(cuQ, b, h, i)];
    if (lse == Float.NEGATIVE_INFINITY) {
      return;
    }
    float delta = 0;
    for (int d = 0; d < g.valueHeadDim(); d++) {
      gatedDout[d] = gate(b, h, i, d, data.dout()[doutRow + d], data.out()[outRow + d]);
      delta += gatedDout[d] * data.out()[outRow + d];
    }
    if (backward.dsinks()) {
      float weight = exp(forward.sinks()[h], lse);
      dsinks[h] -= (bug == Bug.SINK_UNWEIGHTED ? 1 : weight) * delta;
    }
    int begin = c.visibleBegin(b, i);
    int end = c.visibleEnd(b, i);
    if (bug == Bug.KEY_TOO_EARLY) {
      end--;
    } else if (bug == Bug.TILE_TOO_EARLY && end - begin > 8) {
      end -= 8;
    } else if (bug == Bug.KEY_TOO_LATE) {
      end = Math.min(end + 1, g.lenK(b));
    }
    if (end <= begin) {
      return;
    }
    boolean[] keep = keep(b, h, i, begin, end);
    for (int j = begin; j < end; j++) {
      pair(b, h, kv, i, j, lse, delta, keep == null || keep[j - begin]);
    }
  }

  /** An element of dout times its gate, whose gradient is added to. */
  private float gate(int b, int h, int i, int d, float dout, float out) {
    if (forward.outputGates() == null) {
      return dout;
    }
    Layout layout = c.layouts().outputGates();
    int at = c.rowIndex(layout, cuQ, b, i, h) + (layout.size()[3] == 1 ? 0 : d);
    float logit = forward.outputGates()[at];
    if (doutputGates.length > 0) {
      int to = c.rowIndex(backward.layouts().doutputGates(), cuQ, b, i, h);
      doutputGates[to + (layout.size()[3] == 1 ? 0 : d)] +=
          dout * out * (float) Sigmoid.gradient(1, logit);
    }
    return dout * (float) Sigmoid.of(logit);
  }

  private boolean[] keep(int b, int h, int i, int begin, int end) {
    if (o.dropout() == 0) {
      return null;
    }
    boolean[] keep = new boolean[end - begin];
    int by = bug == Bug.DROPOUT_OF_NEIGHBOUR ? 1 : 0;
    int head = b * g.queryHeads() + h;
    int threshold = Philox.threshold(o.dropout());
    Philox.keep(keep, begin + by, end + by, i, head, o.seed(), o.offset(), threshold);
    return keep;
  }

  private static float exp(float x, float lse) {
    return (float) Math.exp(Math.log(2) * (x * LOG2_E - lse * LOG2_E));
  }

  /** What the score of a pair is, of products of rows that begin there. */
  private float product(int h, int queryRow, int keyRow, int distance) {
    float x = 0;
    for (int d = 0; d < g.headDim(); d++) {
      x += query(queryRow + d, contentBias(h, d)) * forward.key()[keyRow + d];
    }
    if (distance >= 0) {
      float more = 0;
      for (int d = 0; d < g.headDim(); d++) {
        more += query(queryRow + d, positionBias(h, d)) * positionKey(distance, h, d);
      }
      x += more;
    }
    return x * scale;
  }

  /** The score that a product becomes; sets what follows from it for gradients. */
  private float score(int b, int h, int i, int j, float product) {
    float x = product;
    modified = null;
    if (modifier != null) {
      modified = modifier.apply(b, h, c.position(b, i), j, x, 0);
      x = (float) modified.of().value();
    }
    capSlope = 1;
    if (o.softcap() > 0) {
      float tanh = (float) Math.tanh(x / o.softcap());
      x = o.softcap() * tanh;
      capSlope = bug == Bug.LOST_SLOPE ? 1 : 1 - tanh * tanh;
    }
    if (forward.bias() != null) {
      x += forward.bias()[Operands.biasRow(c, c.layouts().bias(), cuQ, b, h, i) + j];
    }
    right = j - c.position(b, i);
    column = 0;
    if (forward.table() != null) {
      column = o.relative().column(forward.buckets(), (long) right);
      x += forward.table()[c.layouts().table().at(0, h, column)];
    }
    right = o.causal() ? right : -Math.abs(right);
    if (forward.alibi() != null) {
      x += forward.alibi()[c.layouts().alibi().at(alibiBatch(b), h, 0)] * right;
    }
    for (int k = 0; k < o.rows().size(); k++) {
      RowOperand it = o.rows().get(k);
      x += (float) it.kind().added(it.number(), element(k, b, h, i), c.position(b, i), j);
    }
    return isHidden(b, h, i, j) ? Float.NEGATIVE_INFINITY : x;
  }

  private int alibiBatch(int b) {
    return o.alibi() == Alibi.PER_BATCH_HEAD ? b : 0;
  }

  private boolean isHidden(int b, int h, int i, int j) {
    if (forward.mask() != null
        && forward.mask()[Operands.biasRow(c, c.layouts().mask(), cuQ, b, h, i) + j] == 0) {
      return true;
    }
    if (forward.blocks() != null && !o.blocks().lists(forward.blocks(), b, h, i, j)) {
      return true;
    }
    return o.imageWindow() != null && !o.imageWindow().sees(c.position(b, i), j);
  }

  private void pair(int b, int h, int kv, int i, int j, float lse, float delta, boolean kept) {
    int queryRow = c.rowIndex(c.layouts().query(), cuQ, b, i, h);
    int keyRow = c.rowIndex(c.layouts().key(), cuK, b, j, kv);
    int valueRow = c.rowIndex(c.layouts().value(), cuK, b, j, kv);
    int distance = distance(b, i, j);
    float x = score(b, h, i, j, product(h, queryRow, keyRow, distance));
    float slope = modified == null ? capSlope : capSlope * derivative(modified, 0);
    float p = exp(x, lse);
    float product = 0;
    for (int d = 0; d < g.valueHeadDim(); d++) {
      product += converted(gatedDout[d]) * forward.value()[valueRow + d];
    }
    float r = kept ? (float) OracleRow.dropFactor(o) : 0;
    if (forward.keyGates() != null) {
      int gate = Gates.keyRow(g, c.layouts().keyGates(), cuK, b, h) + j;
      float logit = forward.keyGates()[gate];
      if (dkeyGates.length > 0) {
        int to = Gates.keyRow(g, backward.layouts().dkeyGates(), cuK, b, h) + j;
        dkeyGates[to] += r * p * product * (float) Sigmoid.gradient(1, logit);
      }
      r *= (float) Sigmoid.of(logit);
    }
    float all = bug == Bug.DROPOUT_LOST_IN_SCORES ? 1 : r;
    float ds = p * (all * product - (bug == Bug.LOST_DELTA ? 0 : delta));
    boolean last = bug != Bug.LAST_OF_GROUP || h % g.group() == g.group() - 1;
    if (last) {
      addKey(b, h, kv, i, j, queryRow, factor(ds * slope));
      int at = c.rowIndex(backward.layouts().dvalue(), cuK, b, j, kv);
      float w = factor(r * p);
      for (int d = 0; d < g.valueHeadDim(); d++) {
        dvalue[at + d] += w * converted(gatedDout[d]);
      }
    }
    int at = c.rowIndex(backward.layouts().dquery(), cuQ, b, i, h);
    float t = factor(ds * slope);
    for (int d = 0; d < g.headDim(); d++) {
      dquery[at + d] += t * forward.key()[keyRow + d] * scale;
    }
    addPositions(h, distance, t, at, queryRow, keyRow);
    addScore(b, h, i, j, ds);
  }

  /** What the gradient of a pair's score gives to those of what is added to scores. */
  private void addScore(int b, int h, int i, int j, float ds) {
    if (dbias.length > 0) {
      int bias = Operands.biasRow(c, backward.layouts().dbias(), cuQ, b, h, i) + j;
      dbias[bias] = bug == Bug.BIAS_NOT_SUMMED ? ds : dbias[bias] + ds;
    }
    for (int n = 1; dmodifier.length > 0 && n < modified.by().length; n++) {
      int to = modifier.columns().get(n - 1);
      dmodifier[backward.layouts().dmodifierTable().atBroadcast(0, h, to)] +=
          ds * capSlope * derivative(modified, n);
    }
    if (dtable.length > 0) {
      dtable[backward.layouts().dtable().at(0, h, column)] += ds;
    }
    if (dalibi.length > 0) {
      float by = bug == Bug.SIGN_OF_DISTANCE ? -right : right;
      dalibi[backward.layouts().dalibi().at(alibiBatch(b), h, 0)] += ds * by;
    }
    for (int k = 0; k < drows.size(); k++) {
      RowOperand it = o.rows().get(k);
      Layout layout = backward.layouts().drows().get(k);
      double by = it.kind().derivative(it.number(), element(k, b, h, i), c.position(b, i), j);
      drows.get(k)[Operands.biasRow(c, layout, cuQ, b, h, i)] += ds * (float) by;
    }
  }

  /** By the score before a modifier, or by the n-th number that it looked up. */
  private static float derivative(ModifierTrace.Value of, int n) {
    return (float) of.by(n).value();
  }

  private float element(int k, int b, int h, int i) {
    Layout layout = c.layouts().rows().get(k);
    return forward.rows().get(k)[Operands.biasRow(c, layout, cuQ, b, h, i)];
  }

  /** A query with a bias, as the type of query holds it. */
  private float query(int at, float bias) {
    return Rounding.round(o.dtype(), forward.query()[at] + bias);
  }

  private float contentBias(int h, int d) {
    float[] bias = forward.positions().contentBias();
    return bias == null ? 0 : bias[c.layouts().contentBias().at(0, 0, h) + d];
  }

  private float positionBias(int h, int d) {
    float[] bias = forward.positions().positionBias();
    return bias == null ? 0 : bias[c.layouts().positionBias().at(0, 0, h) + d];
  }

  private float positionKey(int n, int h, int d) {
    return forward.positions().keys()[c.layouts().positionKeys().atBroadcast(0, n, h) + d];
  }

  /** The row of keys of distances that a pair meets; -1 without such. */
  private int distance(int b, int i, int j) {
    if (!o.positions().hasKeys()) {
      return -1;
    }
    long origin = o.positions().origin(g, o.visibility());
    int row = (int) (origin + c.position(b, i) - j);
    boolean other = bug == Bug.DISTANCE_OF_NEIGHBOUR && row > 0;
    return other && !Float.isNaN(positionKey(row - 1, 0, 0)) ? row - 1 : row;
  }

  /** What a pair gives to the gradients of biases of queries and keys of distances. */
  private void addPositions(int h, int distance, float t, int at, int queryRow, int keyRow) {
    BackwardCase.Layouts layouts = backward.layouts();
    boolean biased = bug != Bug.UNBIASED_QUERY;
    for (int d = 0; d < g.headDim(); d++) {
      if (dcontentBias.length > 0) {
        int to = layouts.dcontentBias().at(0, 0, h) + d;
        dcontentBias[to] += t * forward.key()[keyRow + d] * scale;
      }
      if (distance < 0) {
        continue;
      }
      float term = t * positionKey(distance, h, d) * scale;
      dquery[at + d] += bug == Bug.LOST_POSITIONS ? 0 : term;
      if (dpositionBias.length > 0) {
        dpositionBias[layouts.dpositionBias().at(0, 0, h) + d] += term;
      }
      if (dpositionKeys.length > 0) {
        float query = query(queryRow + d, biased ? positionBias(h, d) : 0);
        dpositionKeys[layouts.dpositionKeys().atBroadcast(0, distance, h) + d] += t * query * scale;
      }
    }
  }

  private void addKey(int b, int h, int kv, int i, int j, int queryRow, float t) {
    int row = bug == Bug.TRANSPOSED && i < g.lenK(b) ? i : j;
    int at = c.rowIndex(backward.layouts().dkey(), cuK, b, row, kv);
    float by = bug == Bug.LOST_SCALE ? 1 : scale;
    for (int d = 0; d < g.headDim(); d++) {
      float bias = bug == Bug.UNBIASED_QUERY ? 0 : contentBias(h, d);
      dkey[at + d] += t * query(queryRow + d, bias) * by;
    }
  }
}

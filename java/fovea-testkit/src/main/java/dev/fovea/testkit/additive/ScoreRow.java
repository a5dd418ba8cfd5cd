package dev.fovea.testkit.additive;

import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Visibility;
import dev.fovea.testkit.additive.AdditiveCase.Content;
import java.util.Arrays;

/**
 * One key/value head of a case, and tanh and scores of a query row against the keys that it sees,
 * in float64, with the errors that {@link Oracle} derives. Keys of the row count from the first
 * that it sees.
 */
final class ScoreRow {

  /** Of a score, in units of sum_a |w_a|. */
  private static final double SCORE = 5e-7;

  static final double FLOAT_UNIT = 0x1p-24;

  private final AdditiveCase c;
  private final Operands data;
  private final Geometry g;
  private final int[] cuQ;
  private final int[] cuK;
  private final double[] keys; // [n, A]
  private final double[] values; // [n, Dv]
  private final double[] shifted; // q + b of the row, [A]
  private final double[] weight; // of its head, [A]
  private final double[] tanh; // [count, A]
  private final double[] scores;
  private final double[] errors;
  private final boolean[] keep;
  private int batch;
  private int begin;
  private int count;
  private double farthest; // |q + b| of the row

  ScoreRow(AdditiveCase c, Operands data) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    keys = new double[g.keyLength() * g.headDim()];
    values = new double[g.keyLength() * g.valueHeadDim()];
    shifted = new double[g.headDim()];
    weight = new double[g.headDim()];
    tanh = new double[g.keyLength() * g.headDim()];
    scores = new double[g.keyLength()];
    errors = new double[g.keyLength()];
    keep = new boolean[g.keyLength()];
  }

  /** Gathers head {@code kv} of sequence {@code b}; true if it holds a NaN. */
  boolean load(int b, int kv) {
    batch = b;
    boolean poisoned = false;
    for (int j = 0; j < g.lenK(b); j++) {
      poisoned |= gather("key", b, j, kv, keys, g.headDim());
      poisoned |= gather("value", b, j, kv, values, g.valueHeadDim());
    }
    return poisoned;
  }

  private boolean gather(String name, int b, int j, int kv, double[] to, int width) {
    int from = g.rowIndex(c.layout(name), cuK, b, j, kv);
    boolean poisoned = false;
    for (int d = 0; d < width; d++) {
      float x = data.get(name)[from + d];
      to[j * width + d] = x;
      poisoned |= Float.isNaN(x);
    }
    return poisoned;
  }

  /** Computes the row of query {@code i} of head {@code h}. */
  void compute(int h, int i) {
    Visibility visibility = c.options().visibility();
    begin = visibility.begin(g, batch, i);
    count = Math.max(0, visibility.end(g, batch, i) - begin);
    double size = loadRow(h, i);
    double alike = c.content() == Content.CONSTANT ? g.headDim() * FLOAT_UNIT : 0;
    for (int j = 0; j < count; j++) {
      int key = (begin + j) * g.headDim();
      double sum = 0;
      double moved = 0;
      for (int a = 0; a < g.headDim(); a++) {
        double u = shifted[a] + keys[key + a];
        double t = Math.tanh(u);
        tanh[j * g.headDim() + a] = t;
        sum += weight[a] * t;
        moved += Math.abs(weight[a]) * slope(t) * argument(a, u);
      }
      scores[j] = sum;
      errors[j] = (SCORE + alike) * size + moved;
    }
  }

  /** sum_a |w_a|. */
  private double loadRow(int h, int i) {
    int query = g.rowIndex(c.layout("query"), cuQ, batch, i, h);
    int from = c.layout("weight").at(h, 0, 0);
    Layout bias = c.layout("bias");
    double size = 0;
    farthest = 0;
    for (int a = 0; a < g.headDim(); a++) {
      double b = bias == null ? 0 : data.get("bias")[bias.at(h, 0, 0) + a];
      shifted[a] = data.get("query")[query + a] + b;
      weight[a] = data.get("weight")[from + a];
      size += Math.abs(weight[a]);
      farthest = Math.max(farthest, Math.abs(shifted[a]));
    }
    return size;
  }

  /** 1 - t^2. */
  static double slope(double t) {
    return (1 - t) * (1 + t);
  }

  /** What rounding q + b and the sum with the key moves the argument {@code u} of a tanh by. */
  double argument(int a, double u) {
    return FLOAT_UNIT * (Math.abs(shifted[a]) + Math.abs(u));
  }

  /** Which of the row's keys dropout keeps. */
  boolean[] keep(int h, int i) {
    Options o = c.options();
    if (o.dropout() == 0) {
      Arrays.fill(keep, 0, count, true);
    } else if (count > 0) {
      int head = batch * g.queryHeads() + h;
      int threshold = Philox.threshold(o.dropout());
      Philox.keep(keep, begin, begin + count, i, head, o.seed(), o.offset(), threshold);
    }
    return keep;
  }

  /** True if the row sees a NaN. */
  boolean sawNaN() {
    for (int j = 0; j < count; j++) {
      if (Double.isNaN(scores[j])) {
        return true;
      }
      for (int d = 0; d < g.valueHeadDim(); d++) {
        if (Double.isNaN(value(j, d))) {
          return true;
        }
      }
    }
    return false;
  }

  /** The first key that the row sees. */
  int begin() {
    return begin;
  }

  /** Keys that it sees. */
  int count() {
    return count;
  }

  double score(int j) {
    return scores[j];
  }

  /** Of the score. */
  double error(int j) {
    return errors[j];
  }

  double tanh(int j, int a) {
    return tanh[j * g.headDim() + a];
  }

  double key(int j, int a) {
    return keys[(begin + j) * g.headDim() + a];
  }

  double value(int j, int d) {
    return values[(begin + j) * g.valueHeadDim() + d];
  }

  /** q + b. */
  double shifted(int a) {
    return shifted[a];
  }

  /** The largest |q + b|. */
  double farthest() {
    return farthest;
  }

  double weight(int a) {
    return weight[a];
  }

  /** Relative error of a float32 sum of {@code terms} terms that were summed in any order. */
  double summation(long terms) {
    return c.content() == Content.CONSTANT ? FLOAT_UNIT * terms : 2 * FLOAT_UNIT * Math.sqrt(terms);
  }
}

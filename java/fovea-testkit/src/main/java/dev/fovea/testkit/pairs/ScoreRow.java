package dev.fovea.testkit.pairs;

import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Visibility;
import dev.fovea.testkit.pairs.PairCase.Content;
import java.util.Arrays;

/**
 * One key/value head of a case, and scores of a query row against the keys that it sees, in
 * float64, with their errors. Keys of the row count from the first that it sees.
 */
abstract class ScoreRow {

  static final double FLOAT_UNIT = 0x1p-24;

  final PairCase c;
  final Operands data;
  final Geometry g;
  final double[] scores;
  final double[] errors;
  private final int[] cuQ;
  private final int[] cuK;
  private final double[] keys; // [n, A]
  private final double[] values; // [n, Dv]
  private final boolean[] keep;
  private int batch;
  private int begin;
  private int count;
  private int head;

  ScoreRow(PairCase c, Operands data) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    cuQ = g.cuQ();
    cuK = g.cuK();
    keys = new double[g.keyLength() * g.headDim()];
    values = new double[g.keyLength() * g.valueHeadDim()];
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
    float[] buffer = data.get(name);
    boolean poisoned = false;
    for (int d = 0; d < width; d++) {
      float x = buffer[from + d];
      to[j * width + d] = x;
      poisoned |= Float.isNaN(x);
    }
    return poisoned;
  }

  /** Computes the row of query {@code i} of head {@code h}. */
  final void compute(int h, int i) {
    Visibility visibility = c.options().visibility();
    begin = visibility.begin(g, batch, i);
    count = Math.max(0, visibility.end(g, batch, i) - begin);
    head = h;
    score(h, g.rowIndex(c.layout("query"), cuQ, batch, i, h));
  }

  /** Sets scores and errors of the {@link #count} keys, for the query at that index. */
  abstract void score(int h, int query);

  /** The linear fit that changes the weights of the row; null for none. */
  LinearFit fit() {
    return null;
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

  double key(int j, int a) {
    return keys[(begin + j) * g.headDim() + a];
  }

  double value(int j, int d) {
    return values[(begin + j) * g.valueHeadDim() + d];
  }

  /** The query head of the row. */
  int head() {
    return head;
  }

  /** Relative error of a float32 sum of {@code terms} terms that were summed in any order. */
  double summation(long terms) {
    return c.content() == Content.CONSTANT ? FLOAT_UNIT * terms : 2 * FLOAT_UNIT * Math.sqrt(terms);
  }
}

package dev.fovea.testkit.linear;

import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.linear.LinearCase.Content;

/**
 * The rows of one key head of a sequence and of its query heads, in float64, features with the
 * bounds of their errors:
 *
 * <ul>
 *   <li>x + 1 rounds once. exp(x) of the feature map and a decay, exp(decay + keyDecay), through
 *       exp2: 2e-7 of its own, and 2 u |x| for the exponent, rounded twice.
 * </ul>
 */
final class HeadTokens {

  private static final double EXP = 2e-7;

  final int keys;
  final int queries;
  final Row[] key;
  final Row[][] query; // by head of the group
  final Row[] value; // with a 1 behind it where out is normalised
  final Row[] decay; // with relative errors; null: none
  final double[] beta; // null: none
  final boolean constant;
  private final LinearCase c;
  private final Operands data;
  private final Geometry g;
  private final int batch;
  private final int head;
  private boolean poisoned;

  HeadTokens(LinearCase c, Operands data, int batch, int head) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    this.batch = batch;
    this.head = head;
    keys = g.lenK(batch);
    queries = g.lenQ(batch);
    constant = c.content() == Content.CONSTANT;
    key = new Row[keys];
    value = new Row[keys];
    boolean decays = c.has("decay") || c.has("key_decay");
    decay = decays ? new Row[keys] : null;
    beta = c.has("beta") ? new double[keys] : null;
    query = new Row[g.group()][queries];
    for (int j = 0; j < keys; j++) {
      key[j] = features("key", g.rowIndex(c.layout("key"), g.cuK(), batch, j, head));
      value[j] = valueRow(j);
      if (decays) {
        decay[j] = decayRow(j);
      }
      if (beta != null) {
        beta[j] = number("beta", j);
      }
    }
    for (int h = 0; h < g.group(); h++) {
      for (int i = 0; i < queries; i++) {
        query[h][i] = features("query", queryAt("query", h, i));
      }
    }
  }

  /** True if an operand of the head holds a NaN. */
  boolean isPoisoned() {
    return poisoned;
  }

  boolean isDelta() {
    return beta != null;
  }

  /** Columns of the state: those of values, and one more for the sum of weights. */
  int columns() {
    return g.valueHeadDim() + (c.options().normalised() ? 1 : 0);
  }

  /** Where row {@code i} of query head {@code h} of the group lies. */
  int queryAt(String name, int h, int i) {
    return g.rowIndex(c.layout(name), g.cuQ(), batch, i, head * g.group() + h);
  }

  /** Where the row of key {@code j} lies. */
  int keyAt(String name, int j) {
    Layout layout = c.layout(name);
    return g.packed() ? layout.at(0, g.cuK()[batch] + j, head) : layout.atBroadcast(batch, j, head);
  }

  /** The key after which query {@code i} reads the state; -1: before all keys. */
  int position(int i) {
    return c.options().causal() ? Math.max(-1, i + keys - queries) : keys - 1;
  }

  TrackedState state() {
    return new TrackedState(g.headDim(), columns(), constant, isDelta());
  }

  /** The state before the first key. */
  TrackedState initial() {
    TrackedState state = state();
    for (int d = 0; d < g.headDim(); d++) {
      for (int v = 0; v < g.valueHeadDim() && c.has("initial_state"); v++) {
        float x = data.get("initial_state")[c.layout("initial_state").at(batch, head, d) + v];
        state.set(d, v, x);
      }
      if (c.has("initial_sum")) {
        float x = data.get("initial_sum")[c.layout("initial_sum").at(batch, head, 0) + d];
        state.set(d, g.valueHeadDim(), x);
      }
    }
    return state;
  }

  /** A gradient of out, before scale or a sum of weights. */
  double[] dout(int h, int i) {
    double[] row = new double[g.valueHeadDim()];
    int at = queryAt("dout", h, i);
    for (int v = 0; v < row.length; v++) {
      row[v] = data.get("dout")[at + v];
    }
    return row;
  }

  double out(int h, int i, int v) {
    return data.get("out")[queryAt("out", h, i) + v];
  }

  private double number(String name, int j) {
    return data.get(name)[keyAt(name, j)];
  }

  private Row valueRow(int j) {
    Row row = new Row(columns());
    int at = g.rowIndex(c.layout("value"), g.cuK(), batch, j, head);
    for (int v = 0; v < g.valueHeadDim(); v++) {
      float x = data.get("value")[at + v];
      row.set(v, x, 0);
      poisoned |= Float.isNaN(x);
    }
    if (columns() > g.valueHeadDim()) {
      row.set(g.valueHeadDim(), 1, 0);
    }
    return row;
  }

  private Row decayRow(int j) {
    Row row = new Row(g.headDim());
    double shared = c.has("decay") ? number("decay", j) : 0;
    int at = c.has("key_decay") ? keyAt("key_decay", j) : 0;
    for (int d = 0; d < row.width(); d++) {
      double log = shared + (c.has("key_decay") ? data.get("key_decay")[at + d] : 0);
      row.set(d, Math.exp(log), EXP + 2 * TrackedState.FLOAT_UNIT * Math.abs(log));
    }
    return row;
  }

  private Row features(String name, int at) {
    Row row = new Row(g.headDim());
    FeatureMap map = c.options().featureMap();
    for (int d = 0; d < row.width(); d++) {
      double x = data.get(name)[at + d];
      poisoned |= Double.isNaN(x);
      if (map == FeatureMap.IDENTITY) {
        row.set(d, x, 0);
      } else if (map == FeatureMap.RELU) {
        row.set(d, Math.max(x, 0), 0);
      } else if (x > 0) {
        row.set(d, x + 1, TrackedState.FLOAT_UNIT * (x + 1));
      } else {
        double exp = Math.exp(x);
        double relative = EXP + 2 * TrackedState.FLOAT_UNIT * Math.abs(x);
        row.set(d, exp, exp * relative + TrackedState.FLUSHED);
      }
    }
    return row;
  }

  /** A gradient of features to one of what they are of. */
  Row unmap(Row features, Row gradient) {
    FeatureMap map = c.options().featureMap();
    Row row = new Row(gradient.width());
    for (int d = 0; d < row.width(); d++) {
      double phi = features.value()[d];
      double slope =
          switch (map) {
            case IDENTITY -> 1;
            case RELU -> phi > 0 ? 1 : 0;
            case ELU_PLUS_ONE -> Math.min(1, phi);
          };
      double slopeError = map == FeatureMap.ELU_PLUS_ONE && phi <= 1 ? features.error()[d] : 0;
      double x = gradient.value()[d];
      double error = gradient.error()[d] * (slope + slopeError) + Math.abs(x) * slopeError;
      row.set(d, x * slope, error + TrackedState.FLOAT_UNIT * Math.abs(x * slope));
    }
    return row;
  }

  /** What key {@code j} adds to the state. */
  static final class Added {
    final Row row; // u
    final Row error; // value less what the state held for the key

    Added(Row row, Row error) {
      this.row = row;
      this.error = error;
    }
  }

  /**
   * Key {@code j} changes the state. Under the delta rule the state is read once more, by key times
   * decay: its sum rounds as any, and what the errors of the state give to it is part of the growth
   * of these.
   */
  Added step(TrackedState state, int j) {
    if (decay != null) {
      state.decay(decay[j]);
    }
    if (!isDelta()) {
      state.add(key[j], value[j]);
      return new Added(value[j], null);
    }
    int width = value[j].width();
    Row held = new Row(width);
    state.readColumns(key[j], held);
    Row error = new Row(width);
    Row u = new Row(width);
    double b = beta[j];
    double unit = TrackedState.FLOAT_UNIT;
    double norm = Row.norm(key[j].value());
    double gain = norm * Math.abs(b);
    double most = decay == null ? 0 : relative(decay[j]);
    state.grow(Math.max(1, Math.abs(1 - b * norm * norm)));
    Row exact = new Row(width);
    for (int v = 0; v < width; v++) {
      double x = value[j].value()[v] - held.value()[v];
      double size = 0;
      double lean = 0;
      for (int d = 0; d < key[j].width(); d++) {
        double before = state.at(d, v);
        size += Math.abs(key[j].value()[d] * before);
        lean += (key[j].error()[d] + most * Math.abs(key[j].value()[d])) * Math.abs(before);
      }
      double rounded = state.summation(key[j].width()) * size + 3 * unit * Math.abs(x);
      error.set(v, x, held.error()[v] + lean + rounded);
      u.set(v, b * x, Math.abs(b) * error.error()[v] + unit * Math.abs(b * x));
      exact.set(v, b * x, 0);
      state.addError(
          v, constant ? 0 : gain * rounded / 3, gain * (lean + (constant ? rounded : 0)));
    }
    state.add(key[j], exact);
    return new Added(u, error);
  }

  private static double relative(Row decay) {
    double most = 0;
    for (double e : decay.error()) {
      most = Math.max(most, e);
    }
    return most + TrackedState.FLOAT_UNIT;
  }
}

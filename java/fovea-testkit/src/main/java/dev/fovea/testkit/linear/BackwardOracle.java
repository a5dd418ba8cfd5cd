package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.linear.HeadTokens.Added;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The naive gradients of linear attention in float64, by the formulas of {@link
 * dev.fovea.LinearBackward} from exactly the operands that a backward is given, out included, with
 * the error that a right kernel may make. M_i is the gradient of the state behind token i, e_j that
 * of the value of key j; where out is normalised, dout is divided by the sum of weights, and the
 * column of that sum has -&lt;dout, out&gt; / sum.
 *
 * <p>Bounds, beside those of {@link Oracle}, which states and gradients of states share:
 *
 * <ul>
 *   <li>A sum of weights that errs by e makes 1 / sum err by e / (|sum| - e), relatively.
 *   <li>dquery and dkey are read from states with the columns of keys. Under the delta rule these
 *       take u and e from those with the columns of values: their own roundings, which are as
 *       large, are not taken back by the rule, so that they err by their own, by those of the
 *       others, and by the difference that stays: three times.
 *   <li>The gradient of keyDecay is a running sum of phi(query) dphi(query) - phi(key) dphi(key)
 *       from the last token on, whose terms err as those do, and whose steps round: all errors of
 *       the tokens behind add up.
 *   <li>Sums of it, over the elements of a key and over what shares a decay, have their errors'
 *       sum; the first sums up blocks in float32, the second is one in float64.
 * </ul>
 */
public final class BackwardOracle {

  private static final double UNIT = TrackedState.FLOAT_UNIT;
  private static final double COPIES = 3;

  private final LinearCase c;
  private final Operands data;
  private final Geometry g;
  private final Map<String, GradientSums> gradients = new LinkedHashMap<>();

  private HeadTokens tokens; // of the head in progress, as all below
  private int batch;
  private int head;
  private boolean free;
  private double copies;
  private Row[][] douts; // by head of the group
  private Added[] added;
  private Row[] steps; // e
  private Row[] fromState; // M u
  private Row[] corrections; // (a S) e; null without delta
  private Row[] slopes; // of phi(query) dphi(query), or null

  private BackwardOracle(LinearCase c, Operands data) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    DType type = c.gradients().dtype();
    add("dquery", type);
    add("dkey", type);
    add("dvalue", type);
    for (String of : new String[] {"decay", "key_decay", "beta", "initial_state", "initial_sum"}) {
      add("d" + of, DType.FLOAT32);
    }
  }

  private void add(String name, DType type) {
    if (c.has(name)) {
      gradients.put(name, new GradientSums(type, c.layout(name), data.get(name)));
    }
  }

  /** Computes a backward case: the gradients that it has, by name. */
  public static Map<String, Expected> run(LinearCase c, Operands data) {
    BackwardOracle oracle = new BackwardOracle(c, data);
    for (int b = 0; b < oracle.g.batch(); b++) {
      for (int kv = 0; kv < oracle.g.keyHeads(); kv++) {
        oracle.head(b, kv);
      }
    }
    Map<String, Expected> all = new LinkedHashMap<>();
    oracle.gradients.forEach((name, sums) -> all.put(name, sums.finish()));
    return all;
  }

  private void head(int b, int kv) {
    tokens = new HeadTokens(c, data, b, kv);
    batch = b;
    head = kv;
    free = tokens.isPoisoned();
    copies = tokens.isDelta() ? COPIES : 1;
    added = new Added[tokens.keys];
    douts = new Row[g.group()][tokens.queries];
    steps = new Row[tokens.keys];
    fromState = new Row[tokens.keys];
    corrections = tokens.isDelta() ? new Row[tokens.keys] : null;
    slopes = tokens.decay != null ? new Row[tokens.keys] : null;
    for (int i = 0; !c.options().normalised() && i < tokens.queries; i++) {
      scaleDouts(i);
    }
    forward(this::weigh);
    backward();
    forward(this::readQueries);
    expectKeys();
  }

  private interface Reader {
    void read(TrackedState state, int i);
  }

  /** Takes the state through all keys; the reader sees it behind the key that each query reads. */
  private void forward(Reader reader) {
    TrackedState state = tokens.initial();
    int next = 0;
    for (int j = -1; j < tokens.keys; j++) {
      if (j >= 0) {
        added[j] = tokens.step(state, j);
        if (tokens.isDelta() && steps[j] != null) {
          corrections[j] = correction(state, j);
        }
      }
      for (; next < tokens.queries && tokens.position(next) == j; next++) {
        reader.read(state, next);
      }
    }
  }

  private void scaleDouts(int i) {
    for (int h = 0; h < g.group(); h++) {
      double[] dout = tokens.dout(h, i);
      douts[h][i] = new Row(tokens.columns());
      for (int v = 0; v < dout.length; v++) {
        double x = dout[v] * c.options().factor();
        douts[h][i].set(v, x, UNIT * Math.abs(x));
      }
    }
  }

  /** Divides the gradients of a query by its sum of weights, where out is normalised. */
  private void weigh(TrackedState state, int i) {
    for (int h = 0; h < g.group() && c.options().normalised(); h++) {
      Row sums = new Row(tokens.columns());
      state.readColumns(tokens.query[h][i], sums);
      int last = g.valueHeadDim();
      double weights = sums.value()[last];
      double off = Oracle.weightError(sums, last);
      Row row = new Row(tokens.columns());
      douts[h][i] = row;
      if (weights == 0 && off == 0) {
        continue;
      }
      double room = Math.abs(weights) - off;
      free |= !(room > 0);
      double inverse = 1 / weights;
      double relative = off / room + 2 * UNIT;
      double[] dout = tokens.dout(h, i);
      double product = 0;
      double size = 0;
      for (int v = 0; v < last; v++) {
        double x = dout[v] * inverse;
        row.set(v, x, Math.abs(x) * relative);
        double term = dout[v] * tokens.out(h, i, v);
        product += term;
        size += Math.abs(term);
      }
      double share = -product * inverse;
      double sum = state.summation(last) * size * Math.abs(inverse) * (1 + relative);
      row.set(last, share, Math.abs(share) * relative + sum);
    }
  }

  /** The gradient of the state from the last key to the first: dvalue, dbeta, and M u of dkey. */
  private void backward() {
    TrackedState m = tokens.state();
    int next = tokens.queries - 1;
    for (int j = tokens.keys - 1; j >= 0; j--) {
      for (; next >= 0 && tokens.position(next) == j; next--) {
        addQuery(m, next);
      }
      fromState[j] = new Row(g.headDim());
      m.readRows(added[j].row, fromState[j], copies);
      steps[j] = step(m, j);
      if (tokens.decay != null) {
        m.decay(tokens.decay[j]);
      }
      for (int v = 0; v < g.valueHeadDim(); v++) {
        int at = g.rowIndex(c.layout("dvalue"), g.cuK(), batch, j, head) + v;
        put("dvalue", at, steps[j].value()[v], steps[j].error()[v]);
      }
    }
    for (; next >= 0; next--) {
      addQuery(m, next);
    }
    for (int d = 0; d < g.headDim(); d++) {
      for (int v = 0; v < g.valueHeadDim() && c.has("dinitial_state"); v++) {
        int at = c.layout("dinitial_state").at(batch, head, d) + v;
        put("dinitial_state", at, m.at(d, v), m.error(d, v));
      }
      if (c.has("dinitial_sum")) {
        int v = g.valueHeadDim();
        int at = c.layout("dinitial_sum").at(batch, head, 0) + d;
        put("dinitial_sum", at, m.at(d, v), m.error(d, v));
      }
    }
  }

  private void addQuery(TrackedState m, int i) {
    for (int h = 0; h < g.group(); h++) {
      m.add(tokens.query[h][i], douts[h][i]);
    }
  }

  /** What key {@code j} reads of the gradient, and under the delta rule takes from it. */
  private Row step(TrackedState m, int j) {
    Row key = tokens.key[j];
    Row du = new Row(tokens.columns());
    m.readColumns(key, du);
    if (!tokens.isDelta()) {
      return du;
    }
    double b = tokens.beta[j];
    double norm = Row.norm(key.value());
    double gain = norm * Math.abs(b);
    Row e = new Row(du.width());
    Row taken = new Row(du.width());
    double dbeta = 0;
    double dbetaError = 0;
    double dbetaSize = 0;
    m.grow(Math.max(1, Math.abs(1 - b * norm * norm)));
    for (int v = 0; v < du.width(); v++) {
      double x = b * du.value()[v];
      e.set(v, x, Math.abs(b) * du.error()[v] + UNIT * Math.abs(x));
      taken.set(v, -x, 0);
      double size = 0;
      double lean = 0;
      for (int d = 0; d < key.width(); d++) {
        size += Math.abs(key.value()[d] * m.at(d, v));
        lean += key.error()[d] * Math.abs(m.at(d, v));
      }
      double rounded = m.summation(key.width()) * size + UNIT * Math.abs(du.value()[v]);
      m.addError(
          v,
          tokens.constant ? 0 : gain * rounded / 3,
          gain * (lean + (tokens.constant ? rounded : 0)));
      Row error = added[j].error;
      dbeta += du.value()[v] * error.value()[v];
      dbetaSize += Math.abs(du.value()[v] * error.value()[v]);
      dbetaError +=
          du.error()[v] * (Math.abs(error.value()[v]) + error.error()[v])
              + Math.abs(du.value()[v]) * error.error()[v];
    }
    m.add(key, taken);
    if (c.has("dbeta")) {
      double error = dbetaError + m.summation(du.width()) * dbetaSize;
      put("dbeta", tokens.keyAt("dbeta", j), dbeta, error + TrackedState.FLUSHED);
    }
    return e;
  }

  /** (a S) e, from the state behind the key. */
  private Row correction(TrackedState state, int j) {
    Row u = added[j].row;
    Row e = steps[j];
    Row all = new Row(g.headDim());
    state.readRows(e, all, copies);
    double own = Row.dot(u.value(), e.value());
    double ownError =
        Row.sizes(u.value(), e.error())
            + Row.sizes(u.error(), e.value())
            + Row.sizes(u.error(), e.error())
            + state.summation(u.width()) * Row.sizes(u.value(), e.value());
    Row row = new Row(g.headDim());
    for (int d = 0; d < row.width(); d++) {
      double k = tokens.key[j].value()[d];
      double ke = tokens.key[j].error()[d];
      double x = all.value()[d];
      double error =
          all.error()[d]
              + ownError * (Math.abs(k) + ke)
              + ke * Math.abs(own)
              + 2 * UNIT * (Math.abs(x) + Math.abs(k * own));
      row.set(d, x - k * own, error);
    }
    return row;
  }

  private void readQueries(TrackedState state, int i) {
    int j = tokens.position(i);
    for (int h = 0; h < g.group(); h++) {
      Row query = tokens.query[h][i];
      Row dquery = new Row(g.headDim());
      state.readRows(douts[h][i], dquery, copies);
      gradients
          .get("dquery")
          .add(tokens.queryAt("dquery", h, i), tokens.unmap(query, dquery), free);
      if (slopes == null || j < 0) {
        continue;
      }
      slopes[j] = slopes[j] == null ? new Row(g.headDim()) : slopes[j];
      for (int d = 0; d < g.headDim(); d++) {
        double q = query.value()[d];
        double x = dquery.value()[d];
        double error = Math.abs(q) * dquery.error()[d] + query.error()[d] * Math.abs(x);
        slopes[j].value()[d] += q * x;
        slopes[j].error()[d] += error + 2 * UNIT * Math.abs(q * x);
      }
    }
  }

  /** dkey and gradients of decays, from the last key to the first. */
  private void expectKeys() {
    Row sum = new Row(g.headDim());
    for (int j = tokens.keys - 1; j >= 0; j--) {
      Row dkey = new Row(g.headDim());
      for (int d = 0; d < g.headDim(); d++) {
        double p = corrections == null ? 0 : corrections[j].value()[d];
        double pError = corrections == null ? 0 : corrections[j].error()[d];
        double x = fromState[j].value()[d];
        double error = fromState[j].error()[d] + pError;
        dkey.set(d, x - p, error + UNIT * Math.abs(x - p));
        if (slopes != null) {
          addSlope(sum, j, d, x + p, error, Math.abs(x) + Math.abs(p));
        }
      }
      int at = g.rowIndex(c.layout("dkey"), g.cuK(), batch, j, head);
      gradients.get("dkey").add(at, tokens.unmap(tokens.key[j], dkey), free);
      if (slopes != null) {
        expectDecays(sum, j);
      }
    }
  }

  private void addSlope(Row sum, int j, int d, double x, double error, double size) {
    double k = tokens.key[j].value()[d];
    double ke = tokens.key[j].error()[d];
    double c = slopes[j] == null ? 0 : slopes[j].value()[d];
    sum.value()[d] += c - k * x;
    sum.error()[d] +=
        (slopes[j] == null ? 0 : slopes[j].error()[d])
            + Math.abs(k) * error
            + ke * size
            + 3 * UNIT * (Math.abs(c) + Math.abs(k) * size + Math.abs(sum.value()[d]));
  }

  private void expectDecays(Row sum, int j) {
    if (c.has("dkey_decay")) {
      gradients.get("dkey_decay").add(tokens.keyAt("dkey_decay", j), sum, free);
    }
    if (!c.has("ddecay")) {
      return;
    }
    double total = 0;
    double error = TrackedState.FLUSHED;
    for (int d = 0; d < sum.width(); d++) {
      total += sum.value()[d];
      error += sum.error()[d] + (tokens.constant ? 16 : 8) * UNIT * Math.abs(sum.value()[d]);
    }
    put("ddecay", tokens.keyAt("ddecay", j), total, error);
  }

  private void put(String name, int at, double exact, double error) {
    gradients.get(name).add(at, exact, error);
    if (free) {
      gradients.get(name).free(at);
    }
  }
}

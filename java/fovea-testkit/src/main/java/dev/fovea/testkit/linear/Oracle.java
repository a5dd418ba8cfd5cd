package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive linear attention in float64 over the exact values of the operands, with the error that a
 * right kernel may make: the recurrence of fovea.h, token by token, nothing chunked or shared with
 * any backend.
 *
 * <p>Bounds, with u = 2^-24: those of states are tracked with them, see {@link TrackedState}, those
 * of features and decays in {@link HeadTokens}. Beside them
 *
 * <ul>
 *   <li>a sum of n terms errs by 2 (1 + sqrt(n)) u of the sum of their sizes, constant data by (2 +
 *       n) u; see {@link dev.fovea.testkit.attention.Oracle}.
 *   <li>out = sum / weights errs by (e_sum + |out| e_weights) / (|weights| - e_weights) and two
 *       roundings; where e_weights is as large as the weights it may be anything. Where weights are
 *       0 and nothing rounded, out is 0.
 *   <li>Out rounds once, from what was computed.
 * </ul>
 *
 * <p>In a head with a NaN in query, key or value everything is free; other heads never see it.
 */
public final class Oracle {

  private final LinearCase c;
  private final Operands data;
  private final Geometry g;
  private final Map<String, Expected> outputs = new LinkedHashMap<>();

  private Oracle(LinearCase c, Operands data) {
    this.c = c;
    this.data = data;
    g = c.geometry();
    add("out", c.options().outDType());
    if (!c.isBackward()) {
      add("final_state", DType.FLOAT32);
      add("final_sum", DType.FLOAT32);
    }
  }

  private void add(String name, DType type) {
    if (c.has(name)) {
      outputs.put(name, new Expected(type, c.layout(name).elements()));
    }
  }

  /** Computes the forward pass of a case: out, and final state and sum where it has them. */
  public static Map<String, Expected> run(LinearCase c, Operands data) {
    return new Oracle(c, data).run();
  }

  private Map<String, Expected> run() {
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads(); kv++) {
        head(b, kv);
      }
    }
    return outputs;
  }

  private void head(int b, int kv) {
    HeadTokens tokens = new HeadTokens(c, data, b, kv);
    TrackedState state = tokens.initial();
    int next = 0; // query that is to read
    for (int j = -1; j < tokens.keys; j++) {
      if (j >= 0) {
        tokens.step(state, j);
      }
      for (; next < tokens.queries && tokens.position(next) == j; next++) {
        for (int h = 0; h < g.group(); h++) {
          expectOut(tokens, state, h, next);
        }
      }
    }
    for (int i = tokens.queries; i < g.queryLength() && !g.packed(); i++) {
      for (int h = 0; h < g.group(); h++) {
        int at = c.layout("out").at(b, i, kv * g.group() + h);
        for (int v = 0; v < g.valueHeadDim(); v++) {
          outputs.get("out").expect(at + v, 0, 0);
        }
      }
    }
    expectStates(tokens, state, b, kv);
  }

  private void expectOut(HeadTokens tokens, TrackedState state, int h, int i) {
    Expected out = outputs.get("out");
    int at = tokens.queryAt("out", h, i);
    Row sums = new Row(tokens.columns());
    state.readColumns(tokens.query[h][i], sums);
    for (int v = 0; v < g.valueHeadDim(); v++) {
      double sum = sums.value()[v];
      if (!c.options().normalised()) {
        double exact = sum * c.options().factor();
        double error = sums.error()[v] * Math.abs(c.options().factor());
        expect(tokens, out, at + v, exact, error + TrackedState.FLOAT_UNIT * Math.abs(exact));
        continue;
      }
      double weights = sums.value()[g.valueHeadDim()];
      double off = weightError(sums, g.valueHeadDim());
      double exact = weights == 0 ? 0 : sum / weights;
      if (weights == 0 && off == 0) {
        expect(tokens, out, at + v, 0, 0);
        continue;
      }
      double room = Math.abs(weights) - off;
      double error = (sums.error()[v] + Math.abs(exact) * off) / room;
      expect(
          tokens,
          out,
          at + v,
          exact,
          room <= 0
              ? Double.POSITIVE_INFINITY
              : error + 2 * TrackedState.FLOAT_UNIT * (Math.abs(exact) + error));
    }
  }

  /** Of the sum of weights: none where no term of it can be other than 0. */
  static double weightError(Row sums, int at) {
    double error = sums.error()[at];
    return sums.value()[at] == 0 && error <= TrackedState.FLUSHED ? 0 : error;
  }

  private void expectStates(HeadTokens tokens, TrackedState state, int b, int kv) {
    for (int d = 0; d < g.headDim(); d++) {
      for (int v = 0; v < g.valueHeadDim() && outputs.containsKey("final_state"); v++) {
        int at = c.layout("final_state").at(b, kv, d) + v;
        expect(tokens, outputs.get("final_state"), at, state.at(d, v), state.error(d, v));
      }
      if (outputs.containsKey("final_sum")) {
        int at = c.layout("final_sum").at(b, kv, 0) + d;
        int v = g.valueHeadDim();
        expect(tokens, outputs.get("final_sum"), at, state.at(d, v), state.error(d, v));
      }
    }
  }

  private static void expect(
      HeadTokens tokens, Expected output, int at, double exact, double error) {
    if (tokens.isPoisoned()) {
      output.free(at, exact);
    } else {
      output.expectRounded(at, exact, error);
    }
  }
}

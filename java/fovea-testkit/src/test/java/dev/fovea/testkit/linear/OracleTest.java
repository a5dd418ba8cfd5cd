package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.linear.LinearCase.Content;
import org.junit.jupiter.api.Test;

/** The recurrence of the oracle against sums over pairs, and against what is known in advance. */
class OracleTest {

  private static final double EXACT = 1e-9;

  private static double phi(FeatureMap map, double x) {
    return switch (map) {
      case IDENTITY -> x;
      case ELU_PLUS_ONE -> x > 0 ? x + 1 : Math.exp(x);
      case RELU -> Math.max(0, x);
    };
  }

  /** One element of out, from all keys that its query sees. */
  private static double pairs(LinearCase c, Operands data, int b, int h, int i, int v) {
    Geometry g = c.geometry();
    int kv = h / g.group();
    FeatureMap map = c.options().featureMap();
    int last = c.options().causal() ? i + g.lenK(b) - g.lenQ(b) : g.lenK(b) - 1;
    int query = g.rowIndex(c.layout("query"), g.cuQ(), b, i, h);
    double sum = 0;
    double weights = 0;
    for (int j = -1; j <= last || j < 0; j++) {
      for (int d = 0; d < g.headDim(); d++) {
        double log = 0;
        for (int t = j + 1; t <= last; t++) {
          log += decay(c, data, b, kv, t, d);
        }
        double weight = phi(map, data.get("query")[query + d]) * Math.exp(log);
        if (j >= 0) {
          int key = g.rowIndex(c.layout("key"), g.cuK(), b, j, kv);
          double x = weight * phi(map, data.get("key")[key + d]);
          sum += x * data.get("value")[g.rowIndex(c.layout("value"), g.cuK(), b, j, kv) + v];
          weights += x;
        } else if (c.has("initial_state")) {
          sum += weight * data.get("initial_state")[c.layout("initial_state").at(b, kv, d) + v];
          weights +=
              c.has("initial_sum")
                  ? weight * data.get("initial_sum")[c.layout("initial_sum").at(b, kv, 0) + d]
                  : 0;
        }
      }
    }
    return !c.options().normalised()
        ? sum * c.options().factor()
        : weights == 0 ? 0 : sum / weights;
  }

  private static double decay(LinearCase c, Operands data, int b, int kv, int t, int d) {
    Geometry g = c.geometry();
    int row = g.packed() ? g.cuK()[b] + t : t;
    int outer = g.packed() ? 0 : b;
    double log = 0;
    if (c.has("decay")) {
      log += data.get("decay")[c.layout("decay").atBroadcast(outer, row, kv)];
    }
    if (c.has("key_decay")) {
      log += data.get("key_decay")[c.layout("key_decay").at(outer, row, kv) + d];
    }
    return log;
  }

  @Test
  void sumsOverPairs() {
    int compared = 0;
    for (int index = 0; compared < 60; index++) {
      LinearCase c = CaseGenerator.generate(Pass.FORWARD, 21, index, Limits.CPU);
      Geometry g = c.geometry();
      boolean small = (double) g.queryLength() * g.keyLength() * g.keyLength() * g.headDim() < 3e5;
      if (c.has("beta") || !small || c.content().name().startsWith("NAN")) {
        continue;
      }
      compared++;
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      for (int b = 0; b < g.batch(); b++) {
        for (int h = 0; h < g.queryHeads(); h++) {
          for (int i = 0; i < g.lenQ(b); i++) {
            int at = g.rowIndex(c.layout("out"), g.cuQ(), b, i, h);
            double exact = pairs(c, data, b, h, i, 0);
            double room = EXACT * (1 + Math.abs(exact)) + out.allowed(at) / 1000;
            assertEquals(exact, out.value(at), room, c + " row " + i);
          }
        }
      }
    }
  }

  /** With orthogonal keys and a beta of 1 the state holds the last value of each key. */
  @Test
  void theDeltaRuleReplacesValues() {
    LinearCase c =
        new CaseBuilder()
            .lengths(1, 3, 3)
            .headDim(2, 1)
            .rules(null, null, dev.fovea.DType.FLOAT32)
            .content(Content.NORMAL, 1)
            .build();
    Operands data =
        Operands.of(c)
            .with("key", new float[] {1, 0, 0, 1, 1, 0})
            .with("query", new float[] {1, 0, 1, 0, 1, 1})
            .with("value", new float[] {5, 7, 11})
            .with("beta", new float[] {1, 1, 1});
    Expected out = Oracle.run(c, data).get("out");
    assertEquals(5, out.value(0), EXACT);
    assertEquals(5, out.value(1), EXACT);
    assertEquals(11 + 7, out.value(2), EXACT);
  }
}

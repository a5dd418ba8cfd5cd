package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The oracle against closed forms, and against numbers that were worked out by hand. */
class AdditiveOracleTest {

  private static final double EXACT = 1e-13;

  private static Operands operands(Map<String, float[]> all) {
    return new Operands(new HashMap<>(all));
  }

  private static final double T = 0.46211715726000976; // (e - 1) / (e + 1)

  private static PairCase small(boolean backward) {
    CaseBuilder c =
        new CaseBuilder(Kind.ADDITIVE).lengths(1, 1, 2).headDim(1, 1).outDType(DType.FLOAT32);
    return (backward ? c.backward(DType.FLOAT32) : c.outputs(true, true)).build();
  }

  /** u = 0.25 + 0 + 0.25, 0.25 - 1 + 0.25; w = 2; v = 1, 3. */
  private static Operands smallOperands() {
    return operands(
        Map.of(
            "query", new float[] {0.25f},
            "key", new float[] {0, -1},
            "value", new float[] {1, 3},
            "weight", new float[] {2},
            "bias", new float[] {0.25f}));
  }

  @Test
  void aRowByHand() {
    Map<String, Expected> all = Oracle.run(small(false), smallOperands());
    // x = 2 T, -2 T: the first weight is 1 / (1 + exp(-4 T)).
    double p = 1 / (1 + Math.exp(-4 * T));
    assertEquals(p, all.get("weights").value(0), EXACT);
    assertEquals(1 - p, all.get("weights").value(1), EXACT);
    assertEquals(p + 3 * (1 - p), all.get("out").value(0), EXACT);
    assertEquals(2 * T - Math.log(p), all.get("lse").value(0), EXACT);
  }

  @Test
  void gradientsByHand() {
    PairCase c = small(true);
    Map<String, float[]> more = new HashMap<>(smallOperands().all());
    double p = 1 / (1 + Math.exp(-4 * T));
    double out = p + 3 * (1 - p);
    more.put("out", new float[] {(float) out});
    more.put("lse", new float[] {(float) (2 * T - Math.log(p))});
    more.put("dout", new float[] {1});
    Map<String, Expected> all = AdditiveGradients.run(c, new Operands(more));
    // ds = p (1 - out), (1 - p) (3 - out), which are -2 p (1 - p) and 2 p (1 - p).
    double ds = -2 * p * (1 - p);
    double slope = 2 * (1 - T * T);
    double rounded = 1e-6; // out and lse are float32
    assertEquals(ds * slope, all.get("dkey").value(0), rounded);
    assertEquals(-ds * slope, all.get("dkey").value(1), rounded);
    assertEquals(0, all.get("dquery").value(0), rounded);
    assertEquals(0, all.get("dbias").value(0), rounded);
    assertEquals(2 * ds * T, all.get("dweight").value(0), rounded);
    assertEquals(p, all.get("dvalue").value(0), rounded);
    assertEquals(1 - p, all.get("dvalue").value(1), rounded);
  }

  @Test
  void oneKeyGivesItsValueToTheHeadsOfItsGroup() {
    PairCase c = new CaseBuilder(Kind.ADDITIVE).lengths(2, 5, 1).heads(4, 2).headDim(7, 3).build();
    Operands data = Operands.of(c);
    Expected out = Oracle.run(c, data).get("out");
    for (int b = 0; b < 2; b++) {
      for (int i = 0; i < 5; i++) {
        for (int h = 0; h < 4; h++) {
          for (int d = 0; d < 3; d++) {
            float value = data.get("value")[c.layout("value").at(b, 0, h / 2) + d];
            assertEquals(value, out.value(c.layout("out").at(b, i, h) + d), EXACT);
          }
        }
      }
    }
  }

  /** lse of n equal scores is the score plus ln n. */
  @Test
  void equalKeysWeighAlike() {
    PairCase c =
        new CaseBuilder(Kind.ADDITIVE).content(Content.CONSTANT, 7).lengths(1, 3, 10).build();
    Operands data = Operands.of(c);
    Map<String, Expected> all = Oracle.run(c, data);
    float u = data.get("query")[0] + data.get("bias")[0] + data.get("key")[0];
    double x = 8 * data.get("weight")[0] * Math.tanh((double) u);
    assertEquals(x + Math.log(10), all.get("lse").value(0), 1e-6);
    assertEquals(data.get("value")[0], all.get("out").value(0), EXACT);
  }

  @Test
  void aRowThatSeesNothingIsZero() {
    PairCase c =
        new CaseBuilder(Kind.ADDITIVE).lengths(1, 6, 4).causal().outputs(true, true).build();
    Map<String, Expected> all = Oracle.run(c, Operands.of(c));
    // The last query sees all four keys, the second but one.
    assertEquals(Double.NEGATIVE_INFINITY, all.get("lse").value(1));
    assertEquals(0, all.get("out").value(c.layout("out").at(0, 1, 0)));
    assertEquals(1, all.get("weights").value(c.layout("weights").at(0, 0, 2)), EXACT);
    assertTrue(all.get("lse").value(2) > Double.NEGATIVE_INFINITY);
    PairCase backward =
        new CaseBuilder(Kind.ADDITIVE)
            .lengths(1, 6, 4)
            .causal()
            .backward(c.options().dtype())
            .build();
    Expected dquery = AdditiveGradients.run(backward, Operands.of(backward)).get("dquery");
    for (int a = 0; a < 8; a++) {
      assertEquals(0, dquery.value(8 + a));
      assertEquals(0, dquery.allowed(8 + a));
    }
  }

  @Test
  void droppedWeightsGiveNothing() {
    PairCase c = new CaseBuilder(Kind.ADDITIVE).lengths(1, 30, 40).dropout(0.5f, 11, 3).build();
    PairCase all = new CaseBuilder(Kind.ADDITIVE).lengths(1, 30, 40).build();
    Operands data = Operands.of(c);
    Map<String, Expected> dropped = Oracle.run(c, data);
    Map<String, Expected> kept = Oracle.run(all, data);
    assertEquals(kept.get("lse").value(4), dropped.get("lse").value(4), EXACT);
    float[] ones = data.get("value").clone();
    Arrays.fill(ones, 1);
    Expected mass = Oracle.run(c, data.with("value", ones)).get("out");
    double mean = 0;
    for (int i = 0; i < 30; i++) {
      double of = mass.value(c.layout("out").at(0, i, 0));
      assertTrue(of >= 0 && of <= 2 + EXACT);
      mean += of / 30;
    }
    assertEquals(1, mean, 0.2);
  }
}

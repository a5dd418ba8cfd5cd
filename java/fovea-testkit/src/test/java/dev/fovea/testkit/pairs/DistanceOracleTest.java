package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The oracle of distance attention against closed forms, and numbers worked out by hand. */
class DistanceOracleTest {

  private static final double EXACT = 1e-13;

  private static PairCase small(boolean backward) {
    CaseBuilder c = new CaseBuilder(Kind.DISTANCE).lengths(1, 1, 2).headDim(1, 1);
    return (backward ? c.backward(DType.FLOAT32) : c.outputs(true, true)).build();
  }

  /** |q - k| = 1, 3; bandwidth 2: x = -1/8, -9/8, the weights differ by a factor of e. */
  private static Operands smallOperands() {
    return new Operands(
        new HashMap<>(
            Map.of(
                "query", new float[] {2},
                "key", new float[] {1, 5},
                "value", new float[] {1, 3},
                "bandwidth", new float[] {2})));
  }

  private static final double P = Math.E / (1 + Math.E); // of the nearer key

  @Test
  void aRowByHand() {
    Map<String, Expected> all = Oracle.run(small(false), smallOperands());
    assertEquals(P, all.get("weights").value(0), EXACT);
    assertEquals(1 - P, all.get("weights").value(1), EXACT);
    assertEquals(P + 3 * (1 - P), all.get("out").value(0), EXACT);
    assertEquals(-0.125 - Math.log(P), all.get("lse").value(0), EXACT);
  }

  @Test
  void gradientsByHand() {
    Map<String, float[]> more = new HashMap<>(smallOperands().all());
    double out = P + 3 * (1 - P);
    more.put("out", new float[] {(float) out});
    more.put("lse", new float[] {(float) (-0.125 - Math.log(P))});
    more.put("dout", new float[] {1});
    Map<String, Expected> all = small(true).expected(new Operands(more));
    double ds = -2 * P * (1 - P); // of the nearer key, and minus that of the other
    double rounded = 1e-6; // out and lse are float32
    // dx / dk = (q - k) / 4 = 1/4, -3/4.
    assertEquals(ds / 4, all.get("dkey").value(0), rounded);
    assertEquals(ds * 3 / 4, all.get("dkey").value(1), rounded);
    assertEquals(-ds, all.get("dquery").value(0), rounded);
    // dx / dh = -2 x / h = 1/8, 9/8.
    assertEquals(ds / 8 - ds * 9 / 8, all.get("dbandwidth").value(0), rounded);
    assertEquals(P, all.get("dvalue").value(0), rounded);
  }

  /** y = -1/2, 3/2, whose variance is 4 p (1 - p) and their mean 3/2 - 2 p. */
  @Test
  void aLinearFitByHand() {
    CaseBuilder c = new CaseBuilder(Kind.DISTANCE).lengths(1, 1, 2).headDim(1, 1);
    for (float ridge : new float[] {0, 0.5f}) {
      Expected out = Oracle.run(c.localLinear(ridge).build(), smallOperands()).get("out");
      double slope = 2 * P * (1 - P) * 2 / (4 * P * (1 - P) + ridge); // of values 1, 3
      double exact = P + 3 * (1 - P) - slope * (1.5 - 2 * P);
      assertEquals(exact, out.value(0), ridge == 0 ? 1e-8 : EXACT);
    }
  }

  /** lse of n equal scores is the score plus ln n. */
  @Test
  void keysOfOneDistanceWeighAlike() {
    CaseBuilder c = new CaseBuilder(Kind.DISTANCE).content(Content.CONSTANT, 7).lengths(1, 3, 10);
    Operands data = Operands.of(c.build());
    Map<String, Expected> all = Oracle.run(c.build(), data);
    double difference = (double) data.get("query")[0] - data.get("key")[0];
    double h = data.get("bandwidth")[0];
    double x = -8 * difference * difference / (2 * h * h);
    assertEquals(x + Math.log(10), all.get("lse").value(0), 1e-12);
    assertEquals(data.get("value")[0], all.get("out").value(0), EXACT);
  }

  /** Of a wide kernel the mean, of a narrow one the nearest key. */
  @Test
  void bandwidthsAtTheirEnds() {
    PairCase c = new CaseBuilder(Kind.DISTANCE).lengths(1, 5, 9).headDim(3, 2).build();
    Operands data = Operands.of(c);
    Expected wide = Oracle.run(c, data.with("bandwidth", new float[] {1e6f})).get("out");
    Expected narrow = Oracle.run(c, data.with("bandwidth", new float[] {1e-4f})).get("out");
    for (int i = 0; i < 5; i++) {
      double mean = 0;
      int nearest = 0;
      for (int j = 0; j < 9; j++) {
        mean += data.get("value")[c.layout("value").at(0, j, 0)] / 9.0;
        nearest = distance(c, data, i, j) < distance(c, data, i, nearest) ? j : nearest;
      }
      int at = c.layout("out").at(0, i, 0);
      assertEquals(mean, wide.value(at), 1e-9);
      assertEquals(data.get("value")[c.layout("value").at(0, nearest, 0)], narrow.value(at), 1e-9);
    }
  }

  private static double distance(PairCase c, Operands data, int i, int j) {
    double sum = 0;
    for (int a = 0; a < 3; a++) {
      double q = data.get("query")[c.layout("query").at(0, i, 0) + a];
      double difference = q - data.get("key")[c.layout("key").at(0, j, 0) + a];
      sum += difference * difference;
    }
    return sum;
  }
}

package dev.fovea.testkit.rotary;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.rotary.CaseBuilder.Sharing;
import dev.fovea.testkit.rotary.RotaryCase.Order;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, against what a rotation has to keep, and its bounds against a
 * kernel that is right and one that is not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 300;

  /** Two rows of one head of 5 columns, of which 4 are turned. */
  private static CaseBuilder small() {
    return new CaseBuilder().sizes(1, 2, 1, 5);
  }

  /** x and dout, tables [2, 2], positions if there are any. */
  private static Operands operands(int... positions) {
    float[] rows = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    Map<String, float[]> all = new HashMap<>();
    all.put("x", rows);
    all.put("dout", rows);
    all.put("cosines", new float[] {1, 2, 3, 0.5f});
    all.put("sines", new float[] {0, -1, 2, 4});
    if (positions.length > 0) {
      float[] bits = new float[positions.length];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = Float.intBitsToFloat(positions[i]);
      }
      all.put("positions", bits);
    }
    return new Operands(all);
  }

  private static void assertValues(Expected got, double... values) {
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], got.value(i), EXACT, "element " + i);
      assertEquals(Expected.COMPARE, got.state(i), "element " + i);
    }
    assertEquals(values.length, got.elements());
  }

  @Test
  void turnedByHand() {
    Expected split = Oracle.run(small().build(), operands()).get("out");
    assertValues(split, 1, 2 * 2 + 4, 3, 2 * 4 - 2, 5, 18 - 16, 3.5 - 36, 24 + 12, 4.5 + 28, 10);
    Expected neighbours = Oracle.run(small().interleaved().build(), operands()).get("out");
    assertValues(neighbours, 1, 2, 2 * 3 + 4, 2 * 4 - 3, 5, 18 - 14, 21 + 12, 4 - 36, 4.5 + 32, 10);
  }

  @Test
  void turnedBackByHand() {
    CaseBuilder c = small().backward(DType.FLOAT32);
    Expected split = Oracle.run(c.build(), operands()).get("dx");
    assertValues(split, 1, 2 * 2 - 4, 3, 2 * 4 + 2, 5, 18 + 16, 3.5 + 36, 24 - 12, 4.5 - 28, 10);
    Expected neighbours = Oracle.run(c.interleaved().build(), operands()).get("dx");
    assertValues(neighbours, 1, 2, 2 * 3 - 4, 2 * 4 + 3, 5, 18 + 14, 21 - 12, 4 + 36, 4.5 - 32, 10);
  }

  @Test
  void positionsByHand() {
    CaseBuilder c = small().positions(Sharing.ONE, Order.ANY);
    Expected out = Oracle.run(c.build(), operands(1, 0)).get("out");
    assertValues(out, 3 - 6, 1 - 16, 9 + 2, 2 + 8, 5, 6, 14 + 9, 8, 18 - 7, 10);
  }

  @Test
  void whatIsNoNumberFollowsTheArithmetic() {
    Operands data = operands();
    data.get("x")[0] = Float.POSITIVE_INFINITY; // with cosine 1 and sine 0
    data.get("x")[6] = Float.NEGATIVE_INFINITY; // with cosine 0.5 and sine 4
    data.get("x")[9] = Float.NaN; // is copied
    Expected out = Oracle.run(small().build(), data).get("out");
    double infinity = Double.POSITIVE_INFINITY;
    assertValues(out, infinity, 8, Double.NaN, 6, 5, 2, -infinity, 36, -infinity, Double.NaN);
    data.get("sines")[3] = Float.NaN;
    out = Oracle.run(small().build(), data).get("out");
    assertEquals(Double.NaN, out.value(6));
    assertEquals(Double.NaN, out.value(8));
    assertEquals(36, out.value(7));
  }

  /** Random rows of 10 columns at the positions, turned by true rotations of 4 pairs. */
  private static double[] turned(boolean interleaved, long seed, int... positions) {
    int[] order =
        interleaved ? new int[] {0, 1, 2, 3, 4, 5, 6, 7} : new int[] {0, 4, 1, 5, 2, 6, 3, 7};
    CaseBuilder c =
        new CaseBuilder()
            .sizes(1, positions.length, 1, 10)
            .tables(4, 100)
            .positions(Sharing.ONE, Order.ANY);
    if (interleaved) {
      c.interleaved();
    }
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    Map<String, float[]> all = new HashMap<>();
    all.put("x", new float[10 * positions.length]);
    all.put("cosines", new float[400]);
    all.put("sines", new float[400]);
    all.put("positions", new float[positions.length]);
    for (int i = 0; i < 400; i++) {
      double angle = (i / 4) * Math.pow(50, -(i % 4) / 4.0);
      all.get("cosines")[i] = (float) Math.cos(angle);
      all.get("sines")[i] = (float) Math.sin(angle);
    }
    for (int row = 0; row < positions.length; row++) {
      all.get("positions")[row] = Float.intBitsToFloat(positions[row]);
      for (int i = 0; i < 10; i++) { // the same pairs, whichever way they lie
        all.get("x")[10 * row + (i < 8 ? order[i] : i)] = random.nextNormal();
      }
    }
    Expected out = Oracle.run(c.build(), new Operands(all)).get("out");
    double[] rows = new double[out.elements()];
    for (int row = 0; row < positions.length; row++) {
      for (int i = 0; i < 10; i++) {
        rows[10 * row + i] = out.value(10 * row + (i < 8 ? order[i] : i));
      }
    }
    return rows;
  }

  private static double product(double[] rows, int one, int other) {
    double sum = 0;
    for (int i = 0; i < 10; i++) {
      sum += rows[10 * one + i] * rows[10 * other + i];
    }
    return sum;
  }

  private static final double ROOM = 1e-5; // tables are float32

  @Test
  void position0Copies() {
    double[] rows = turned(false, 1, 0, 0);
    Gaussian random = new Gaussian(Gaussian.mix(1));
    for (double element : rows) {
      assertEquals(random.nextNormal(), element);
    }
  }

  @Test
  void productsDependOnTheDistanceAlone() {
    for (boolean interleaved : new boolean[] {false, true}) {
      double near = product(turned(interleaved, 2, 7, 3), 0, 1);
      for (int behind : new int[] {1, 20, 92}) {
        double same = product(turned(interleaved, 2, 7 + behind, 3 + behind), 0, 1);
        assertEquals(near, same, ROOM);
      }
      assertTrue(Math.abs(near - product(turned(interleaved, 2, 8, 3), 0, 1)) > 0.01);
      double[] still = turned(interleaved, 2, 0, 0);
      double[] rows = turned(interleaved, 2, 31, 99);
      assertEquals(product(still, 0, 0), product(rows, 0, 0), ROOM);
      assertEquals(product(still, 1, 1), product(rows, 1, 1), ROOM);
    }
  }

  @Test
  void interleavedPairsAreTheSamePairs() {
    double[] split = turned(false, 3, 5, 0, 77);
    double[] neighbours = turned(true, 3, 5, 0, 77);
    for (int i = 0; i < split.length; i++) {
      assertEquals(split[i], neighbours[i]);
    }
  }

  /** out is linear in x: its product with dout is that of dx with x. */
  @Test
  void theBackwardPassIsTheTranspose() {
    for (int index = 0; index < CASES; index++) {
      Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
      int headDim = random.between(2, 20);
      CaseBuilder c =
          new CaseBuilder()
              .sizes(random.between(1, 3), random.between(1, 9), random.between(1, 3), headDim)
              .tables(random.between(1, headDim / 2), random.between(9, 12))
              .sharing(random.pick(Sharing.values()));
      c.dataSeed = index;
      if (random.chance(0.5)) {
        c.positions(random.pick(Sharing.values()), random.pick(Order.values()));
      }
      if (random.chance(0.5)) {
        c.interleaved();
      }
      RotaryCase forward = c.build();
      RotaryCase backward = c.backward(DType.FLOAT32).build();
      Operands data = Operands.of(backward);
      data.all().put("x", Operands.of(forward).get("x"));
      Expected out = Oracle.run(forward, data).get("out");
      Expected dx = Oracle.run(backward, data).get("dx");
      double loss = 0;
      double byX = 0;
      for (int i = 0; i < out.elements(); i++) {
        loss += out.value(i) * data.get("dout")[i];
        byX += dx.value(i) * data.get("x")[i];
      }
      assertEquals(loss, byX, 1e-9 * (1 + Math.abs(loss)), forward::toString);
    }
  }

  /** In float32, with or without a fused multiply-add; {@code other} is the other of the pair. */
  private static float turn(float cosine, float x, float sine, float other, boolean fused) {
    return fused ? Math.fma(cosine, x, sine * other) : cosine * x + sine * other;
  }

  @Test
  void boundsHoldForFloat32AndCatchAnotherRow() {
    int caught = 0;
    int judged = 0;
    for (int index = 0; index < CASES; index++) {
      RotaryCase c = CaseGenerator.generate(Pass.FORWARD, 5, index, Limits.SIM);
      RotarySizes s = c.sizes();
      if (s.batch() == 0 || s.length() < 2) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      int b = s.batch() - 1;
      int row = s.length() - 1;
      int lost = 0;
      for (int pair = 0; pair < s.pairs(); pair++) {
        int x = c.layout("x").at(b, row, s.heads() - 1);
        int at = c.layout("out").at(b, row, s.heads() - 1);
        int[] rows = {data.position(c, b, row), data.position(c, b, row - 1)};
        for (int wrong = 0; wrong < 2; wrong++) {
          float cosine = data.get("cosines")[c.tableAt("cosines", b, rows[wrong]) + pair];
          float sine = data.get("sines")[c.tableAt("sines", b, rows[wrong]) + pair];
          float first = data.get("x")[x + c.first(pair)];
          float second = data.get("x")[x + c.second(pair)];
          for (boolean fused : new boolean[] {false, true}) {
            boolean right =
                fits(out, at + c.first(pair), turn(cosine, first, -sine, second, fused))
                    && fits(out, at + c.second(pair), turn(cosine, second, sine, first, fused));
            assertTrue(right || wrong == 1, c::toString);
            lost += right ? 0 : 1;
          }
        }
      }
      boolean tiny =
          c.content() == RotaryCase.Content.SUBNORMAL || c.content() == RotaryCase.Content.TINY;
      if (data.position(c, b, row) != data.position(c, b, row - 1) && !tiny) {
        judged++;
        caught += lost > 0 ? 1 : 0;
      }
    }
    assertTrue(judged > CASES / 2, judged + " judged");
    assertTrue(caught > judged * 0.97, caught + " of " + judged + " caught");
  }

  private static boolean fits(Expected out, int at, float computed) {
    if (out.state(at) == Expected.FREE) {
      return true;
    }
    double got = Rounding.round(out.dtype(), computed);
    double exact = out.value(at);
    return Double.compare(got, exact) == 0 || Math.abs(got - exact) <= out.allowed(at);
  }
}

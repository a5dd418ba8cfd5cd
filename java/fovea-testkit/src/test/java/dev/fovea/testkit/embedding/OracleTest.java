package dev.fovea.testkit.embedding;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.embedding.CaseBuilder.Positions;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import dev.fovea.testkit.embedding.EmbeddingCase.Ids;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, its gradients against the transpose of what it computes
 * forward and against differences, and its bounds against a kernel that is right and one that is
 * not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 300;

  /** Two sequences of two tokens, a table of three rows of two columns. */
  private static CaseBuilder small() {
    return new CaseBuilder().sizes(2, 2, 3, 2);
  }

  private static float[] ints(int... values) {
    float[] bits = new float[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.intBitsToFloat(values[i]);
    }
    return bits;
  }

  /** Tokens 2, 0, 2, 2; positions of two rows, at 1, 0, 1, 1. */
  private static Operands operands() {
    Map<String, float[]> all = new HashMap<>();
    all.put("table", new float[] {1, 2, 3, 4, 5, 6});
    all.put("ids", ints(2, 0, 2, 2));
    all.put("positions", new float[] {10, 20, 30, 40});
    all.put("position_ids", ints(1, 0, 1, 1));
    all.put("dout", new float[] {1, -1, 2, -2, 4, -4, 8, -8});
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
  void rowsByHand() {
    Expected out = Oracle.run(small().build(), operands()).get("out");
    assertValues(out, 5, 6, 1, 2, 5, 6, 5, 6);
    assertEquals(0, out.allowed(0));
    assertValues(
        Oracle.run(small().scale(-0.5f).build(), operands()).get("out"),
        -2.5,
        -3,
        -0.5,
        -1,
        -2.5,
        -3,
        -2.5,
        -3);
    CaseBuilder added = small().scale(2).positions(Positions.ROWS, 2);
    assertValues(Oracle.run(added.build(), operands()).get("out"), 20, 32, 32, 44, 20, 32, 40, 52);
    added.positions(Positions.EACH, 2);
    assertValues(Oracle.run(added.build(), operands()).get("out"), 40, 52, 12, 24, 40, 52, 40, 52);
    added.positions(Positions.SHARED, 2);
    assertValues(Oracle.run(added.build(), operands()).get("out"), 40, 52, 12, 24, 40, 52, 20, 32);
  }

  @Test
  void gradientsByHand() {
    CaseBuilder c = small().positions(Positions.EACH, 2).scale(3).backward();
    Map<String, Expected> got = Oracle.run(c.build(), operands());
    assertValues(got.get("dtable"), 6, -6, 0, 0, 39, -39);
    assertValues(got.get("dpositions"), 2, -2, 13, -13);
    got = Oracle.run(c.positions(Positions.ROWS, 3).padding(2).build(), operands());
    assertValues(got.get("dtable"), 6, -6, 0, 0, 0, 0);
    assertValues(got.get("dpositions"), 5, -5, 10, -10, 0, 0);
  }

  @Test
  void whatIsAddedToStaysWhereNobodyAsks() {
    CaseBuilder c = small().padding(0).backward().accumulate();
    Operands data = operands();
    data.all().put("dtable", new float[] {7, 7, 7, 7, 100, 200});
    Expected dtable = Oracle.run(c.build(), data).get("dtable");
    for (int i = 0; i < 4; i++) {
      assertEquals(Expected.UNTOUCHED, dtable.state(i));
    }
    assertEquals(113, dtable.value(4), EXACT);
    assertEquals(187, dtable.value(5), EXACT);
  }

  @Test
  void whatIsNoNumberFollowsTheArithmetic() {
    Operands data = operands();
    data.get("dout")[0] = Float.POSITIVE_INFINITY;
    data.get("dout")[4] = Float.NEGATIVE_INFINITY;
    data.get("dout")[3] = Float.NaN;
    Expected dtable = Oracle.run(small().backward().build(), data).get("dtable");
    assertValues(dtable, 2, Double.NaN, 0, 0, Double.NaN, -13);
    data.get("table")[4] = Float.NEGATIVE_INFINITY;
    Expected out = Oracle.run(small().scale(-2).build(), data).get("out");
    assertEquals(Double.POSITIVE_INFINITY, out.value(0));
  }

  private static CaseBuilder any(int index) {
    Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
    CaseBuilder c =
        new CaseBuilder()
            .sizes(random.between(1, 3), random.between(1, 9), random.between(1, 9), 5)
            .ids(random.pick(Ids.values()));
    c.positions(random.pick(Positions.values()), 12);
    c.dataSeed = index;
    return random.chance(0.5) ? c.scale(random.nextNormal()) : c;
  }

  /** out is linear in both tables: its product with dout is that of the gradients with these. */
  @Test
  void theBackwardPassIsTheTranspose() {
    for (int index = 0; index < CASES; index++) {
      CaseBuilder c = any(index);
      EmbeddingCase forward = c.build();
      Operands data = Operands.of(forward);
      EmbeddingCase backward = c.backward().build();
      data.all().put("dout", Operands.of(backward).get("dout"));
      Expected out = Oracle.run(forward, data).get("out");
      double loss = 0;
      for (int i = 0; i < out.elements(); i++) {
        loss += out.value(i) * data.get("dout")[i];
      }
      double byTables = 0;
      for (Map.Entry<String, Expected> it : Oracle.run(backward, data).entrySet()) {
        float[] table = data.get(it.getKey().substring(1));
        for (int i = 0; i < table.length; i++) {
          byTables += Float.isNaN(table[i]) ? 0 : it.getValue().value(i) * table[i];
        }
      }
      assertEquals(loss, byTables, 1e-9 * (1 + Math.abs(loss)), forward::toString);
    }
  }

  /** The loss is linear: differences of any size are exact. */
  @Test
  void gradientsAreDifferences() {
    for (int index = 0; index < 60; index++) {
      CaseBuilder c = any(index);
      EmbeddingCase forward = c.build();
      Operands data = Operands.of(forward);
      EmbeddingCase backward = c.backward().build();
      data.all().put("dout", Operands.of(backward).get("dout"));
      for (Map.Entry<String, Expected> it : Oracle.run(backward, data).entrySet()) {
        float[] table = data.get(it.getKey().substring(1));
        for (int i = 0; i < table.length; i += 3) {
          float before = table[i];
          if (Float.isNaN(before)) {
            assertEquals(0, it.getValue().value(i));
            continue;
          }
          table[i] = before + 0.5f;
          double more = loss(forward, data);
          table[i] = before - 0.5f;
          double less = loss(forward, data);
          double moved = (before + 0.5f) - (double) (before - 0.5f);
          table[i] = before;
          assertEquals((more - less) / moved, it.getValue().value(i), 1e-9, forward::toString);
        }
      }
    }
  }

  private static double loss(EmbeddingCase forward, Operands data) {
    Expected out = Oracle.run(forward, data).get("out");
    double loss = 0;
    for (int i = 0; i < out.elements(); i++) {
      loss += out.value(i) * data.get("dout")[i];
    }
    return loss;
  }

  private static boolean fits(Expected out, int at, float got) {
    if (out.state(at) == Expected.FREE) {
      return true;
    }
    double exact = out.value(at);
    return Double.compare(got, exact) == 0 || Math.abs(got - exact) <= out.allowed(at);
  }

  /** Sums in float32, in order; and those that lose their last token. */
  @Test
  void boundsHoldForFloat32AndCatchALostToken() {
    int judged = 0;
    int caught = 0;
    for (int index = 0; index < CASES; index++) {
      EmbeddingCase c = CaseGenerator.generate(Pass.BACKWARD, 5, index, Limits.SIM);
      EmbeddingSizes s = c.sizes();
      if (!c.has("dtable") || s.batch() * s.length() == 0 || s.width() > 64) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected dtable = Oracle.run(c, data).get("dtable");
      int id = data.id(c, s.batch() - 1, s.length() - 1);
      if (id == c.padding()) {
        continue;
      }
      int lost = 0;
      for (int i = 0; i < s.width(); i++) {
        Float sum = null;
        Float before = null;
        for (int b = 0; b < s.batch(); b++) {
          for (int row = 0; row < s.length(); row++) {
            if (data.id(c, b, row) == id) {
              float element = data.get("dout")[c.tokenAt("dout", b, row) + i];
              before = sum;
              sum = sum == null ? element : sum + element;
            }
          }
        }
        int at = c.rowAt("dtable", id) + i;
        assertTrue(fits(dtable, at, result(c, data, at, sum)), c::toString);
        lost += fits(dtable, at, result(c, data, at, before == null ? 0 : before)) ? 0 : 1;
      }
      boolean tiny = c.content() == Content.SUBNORMAL || c.content() == Content.TINY;
      if (!tiny) {
        judged++;
        caught += lost > 0 ? 1 : 0;
      }
    }
    assertTrue(judged > CASES / 4, judged + " judged");
    assertTrue(caught > judged * 0.95, caught + " of " + judged + " caught");
  }

  private static float result(EmbeddingCase c, Operands data, int at, float sum) {
    float product = c.scale() == null ? sum : c.scale() * sum;
    return c.gradients().accumulate() ? data.get("dtable")[at] + product : product;
  }

  /** scale * t + p, with or without a fused multiply-add. */
  @Test
  void boundsHoldForRowsWithPositions() {
    for (int index = 0; index < CASES; index++) {
      EmbeddingCase c = CaseGenerator.generate(Pass.FORWARD, 6, index, Limits.SIM);
      EmbeddingSizes s = c.sizes();
      if (s.batch() * s.length() == 0 || !c.has("positions")) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      float scale = c.scale() == null ? 1 : c.scale();
      int row = s.length() / 2;
      for (int i = 0; i < s.width(); i++) {
        float t = data.get("table")[c.rowAt("table", data.id(c, 0, row)) + i];
        float p = data.get("positions")[c.rowAt("positions", data.position(c, 0, row)) + i];
        int at = c.tokenAt("out", 0, row) + i;
        for (float sum : new float[] {scale * t + p, Math.fma(scale, t, p)}) {
          assertTrue(fits(out, at, Rounding.round(c.outDType(), sum)), c::toString);
        }
      }
    }
  }

  @Test
  void copiesKeepTheirBits() {
    EmbeddingCase c = small().dtype(DType.FLOAT32).outDType(DType.BFLOAT16).build();
    Operands data = operands();
    data.get("table")[4] = 1 + 0x1p-8f; // half way between two: to the even one
    data.get("table")[5] = 1 + 3 * 0x1p-8f;
    Expected out = Oracle.run(c, data).get("out");
    assertEquals(1, out.value(0));
    assertEquals(1 + 0x1p-6, out.value(1));
    assertEquals(0, out.allowed(0));
  }
}

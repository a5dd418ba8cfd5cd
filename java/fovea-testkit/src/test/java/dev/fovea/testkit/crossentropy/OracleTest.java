package dev.fovea.testkit.crossentropy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, its gradients against differences of its losses, and its
 * bounds against kernels that are right and such that are not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 300;
  private static final double LN2 = Math.log(2);

  /** One sequence of three rows of two classes: (0, 0), (ln 3, 0) and (0, ln 3). */
  private static CaseBuilder small() {
    return new CaseBuilder().sizes(1, 3, 2);
  }

  private static final float LN3 = (float) Math.log(3);

  private static Operands operands(int... targets) {
    Map<String, float[]> all = new HashMap<>();
    all.put("logits", new float[] {0, 0, LN3, 0, 0, LN3});
    float[] bits = new float[targets.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.intBitsToFloat(targets[i]);
    }
    all.put("targets", bits);
    all.put("class_weight", new float[] {2, 0.5f});
    all.put("dout", new float[] {1, 4, -8});
    all.put("lse", new float[] {(float) LN2, (float) Math.log(4), (float) Math.log(4)});
    return new Operands(all);
  }

  private static Operands unweighed(Operands data) {
    data.all().remove("class_weight");
    return data;
  }

  private static void assertValues(Expected got, double room, double... values) {
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], got.value(i), room, "element " + i);
      assertEquals(Expected.COMPARE, got.state(i), "element " + i);
    }
    assertEquals(values.length, got.elements());
  }

  private static final double SINGLE = 1e-6; // ln 3 is float32

  @Test
  void lossesByHand() {
    Map<String, Expected> got = Oracle.run(small().build(), unweighed(operands(0, 0, 0)));
    double ln43 = Math.log(4.0 / 3);
    assertValues(got.get("out"), SINGLE, LN2, ln43, 2 * LN2);
    assertValues(got.get("lse"), SINGLE, LN2, 2 * LN2, 2 * LN2);
    got = Oracle.run(small().smoothing(0.5f).build(), unweighed(operands(1, 1, 0)));
    assertValues(
        got.get("out"), SINGLE, LN2, 0.75 * 2 * LN2 + 0.25 * ln43, 0.75 * 2 * LN2 + 0.25 * ln43);
    got = Oracle.run(small().weights().build(), operands(0, 1, 0));
    assertValues(got.get("out"), SINGLE, 2 * LN2, LN2, 4 * LN2);
    got = Oracle.run(small().weights().smoothing(0.5f).build(), operands(0, 1, 0));
    assertValues(
        got.get("out"),
        SINGLE,
        LN2 + 0.25 * 2.5 * LN2,
        0.5 * LN2 + 0.25 * (2 * ln43 + LN2),
        2 * LN2 + 0.25 * (4 * LN2 + 0.5 * ln43));
  }

  @Test
  void gradientsByHand() {
    CaseBuilder c = small().backward(DType.FLOAT32);
    Expected dx = Oracle.run(c.build(), unweighed(operands(0, 1, 0))).get("dlogits");
    assertValues(dx, 1e-5, -0.5, 0.5, 3, -3, 6, -6);
    dx = Oracle.run(c.smoothing(0.5f).build(), unweighed(operands(0, 1, 0))).get("dlogits");
    assertValues(dx, 1e-5, -0.25, 0.25, 2, -2, 4, -4);
    dx = Oracle.run(c.weights().smoothing(0).build(), operands(0, 1, 0)).get("dlogits");
    assertValues(dx, 1e-5, -1, 1, 1.5, -1.5, 12, -12);
  }

  @Test
  void rowsWithoutTargetAreZero() {
    Operands data = unweighed(operands(0, -100, -1));
    data.get("logits")[2] = Float.NaN;
    data.get("dout")[1] = Float.NaN;
    Map<String, Expected> got = Oracle.run(small().build(), data);
    assertValues(got.get("out"), EXACT, Math.log(2), 0, 0);
    assertValues(got.get("lse"), EXACT, Math.log(2), 0, 0);
    Expected dx = Oracle.run(small().backward(DType.FLOAT16).build(), data).get("dlogits");
    for (int i = 2; i < 6; i++) {
      assertEquals(0, dx.value(i));
      assertEquals(0, dx.allowed(i));
    }
  }

  @Test
  void whatIsNoNumberIsSaid() {
    float none = Float.NEGATIVE_INFINITY;
    Operands data = unweighed(operands(1, 0, 0));
    System.arraycopy(new float[] {none, 3, none, 3, none, none}, 0, data.get("logits"), 0, 6);
    Map<String, Expected> got = Oracle.run(small().build(), data);
    assertValues(got.get("out"), EXACT, 0, Double.POSITIVE_INFINITY, Double.NaN);
    assertValues(got.get("lse"), EXACT, 3, 3, none);
    got = Oracle.run(small().smoothing(1).build(), data);
    assertEquals(Double.POSITIVE_INFINITY, got.get("out").value(0));
    data.get("lse")[0] = 3;
    Expected dx = Oracle.run(small().backward(DType.FLOAT32).build(), data).get("dlogits");
    assertEquals(0, dx.value(0), EXACT);
    assertEquals(0, dx.value(1), EXACT);
    Operands infinite = unweighed(operands(0, 0, 0));
    infinite.get("logits")[0] = Float.POSITIVE_INFINITY;
    assertEquals(Double.NaN, Oracle.run(small().build(), infinite).get("lse").value(0));
  }

  /** A term whose factor is 0 is 0, whatever the logit of its class. */
  @Test
  void whatWeighsNothingIsLeftOut() {
    Operands data = operands(0, 0, 0);
    data.get("class_weight")[0] = 0;
    data.get("logits")[0] = Float.NEGATIVE_INFINITY;
    Expected out = Oracle.run(small().weights().build(), data).get("out");
    assertEquals(0, out.value(0));
    out = Oracle.run(small().weights().smoothing(1).build(), data).get("out");
    assertEquals(0, out.value(0), EXACT); // the other class has all of the probability
  }

  private static CaseBuilder any(int index) {
    Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
    CaseBuilder c =
        new CaseBuilder()
            .sizes(random.between(1, 3), random.between(1, 4), random.between(1, 12))
            .ignored(random.pick(0.0, 0.3));
    if (random.chance(0.6)) {
      c.smoothing((float) random.nextDouble());
    }
    if (random.chance(0.5)) {
      c.weights();
    }
    c.dataSeed = index;
    return c;
  }

  /** One logit moved either way; lse is that of where it was. */
  @Test
  void gradientsAreDifferences() {
    for (int index = 0; index < 80; index++) {
      CaseBuilder c = any(index);
      CrossEntropyCase forward = c.build();
      CrossEntropyCase backward = c.backward(DType.FLOAT32).build();
      Operands data = Operands.of(backward);
      Expected dx = Oracle.run(backward, data).get("dlogits");
      float[] logits = data.get("logits");
      for (int i = 0; i < logits.length; i++) {
        float before = logits[i];
        if (Float.isNaN(before)) {
          assertEquals(0, dx.value(i));
          continue;
        }
        logits[i] = before + 0x1p-7f;
        double more = loss(forward, data);
        double moved = logits[i];
        logits[i] = before - 0x1p-7f;
        double less = loss(forward, data);
        moved -= logits[i];
        logits[i] = before;
        assertEquals((more - less) / moved, dx.value(i), 4e-5, forward::toString);
      }
    }
  }

  private static double loss(CrossEntropyCase c, Operands data) {
    Expected out = Oracle.run(c, data).get("out");
    double loss = 0;
    for (int i = 0; i < out.elements(); i++) {
      loss += out.value(i) == 0 ? 0 : out.value(i) * data.get("dout")[i];
    }
    return loss;
  }

  private static boolean fits(Expected out, int at, double got) {
    if (out.state(at) == Expected.FREE) {
      return true;
    }
    double exact = out.value(at);
    double rounded = Rounding.round(out.dtype(), got);
    return Double.compare(rounded, exact) == 0
        || rounded == exact
        || Math.abs(rounded - exact) <= out.allowed(at);
  }

  /** In float32, by the largest of all; and without the last class, or its smoothing. */
  @Test
  void boundsHoldForFloat32AndCatchALostClass() {
    int judged = 0;
    int caught = 0;
    for (int index = 0; index < CASES; index++) {
      CrossEntropyCase c = CaseGenerator.generate(Pass.FORWARD, 5, index, Limits.SIM);
      CrossEntropySizes s = c.sizes();
      if (s.batch() * s.length() == 0) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      int b = s.batch() - 1;
      int row = s.length() - 1;
      int target = data.target(c, b, row);
      if (target < 0) {
        continue;
      }
      int at = c.at("out", b, row);
      assertTrue(fits(out, at, single(c, data, b, row, s.classes())), c::toString);
      boolean usual = c.content() == Content.NORMAL || c.content() == Content.TINY;
      if (usual && target < s.classes() - 1 && s.classes() < 2000 && data.weight(c, target) > 0) {
        judged++;
        caught += fits(out, at, single(c, data, b, row, s.classes() - 1)) ? 0 : 1;
      }
    }
    assertTrue(judged > 15, judged + " judged");
    assertTrue(caught > judged * 0.9, caught + " of " + judged + " caught");
  }

  /** In blocks of 256, eight lanes wide, as the widest sums of a kernel are at most. */
  private static float sum(float[] terms) {
    float[] totals = new float[8];
    for (int block = 0; block < terms.length; block += 256) {
      float[] parts = new float[8];
      for (int i = block; i < Math.min(block + 256, terms.length); i++) {
        parts[i % 8] += terms[i];
      }
      for (int lane = 0; lane < 8; lane++) {
        totals[lane] += parts[lane];
      }
    }
    float sum = 0;
    for (float total : totals) {
      sum += total;
    }
    return sum;
  }

  private static double single(CrossEntropyCase c, Operands data, int b, int row, int classes) {
    float[] logits = data.get("logits");
    int at = c.rowAt("logits", b, row);
    int target = data.target(c, b, row);
    float most = -Float.MAX_VALUE;
    for (int v = 0; v < classes; v++) {
      most = logits[at + v] > most ? logits[at + v] : most;
    }
    float[] powers = new float[classes];
    float[] weighed = new float[classes];
    double weights = 0;
    for (int v = 0; v < classes; v++) {
      powers[v] = (float) Math.exp(logits[at + v] - most);
      float weight = c.smoothing() == 0 ? 0 : (float) data.weight(c, v);
      weights += weight;
      weighed[v] = weight == 0 ? 0 : weight * logits[at + v];
    }
    double log = (float) Math.log(sum(powers));
    float smooth = sum(weighed);
    float own = (1 - c.smoothing()) * (float) data.weight(c, target);
    double loss = own == 0 ? 0 : own * ((double) most - logits[at + target] + log);
    double share = (double) c.smoothing() / c.sizes().classes();
    return share == 0 ? loss : loss + share * ((float) weights * (most + log) - smooth);
  }
}

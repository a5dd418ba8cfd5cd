package dev.fovea.testkit.merge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.merge.MergeCase.Content;
import dev.fovea.testkit.merge.MergeCase.Lses;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, against a softmax over all keys, and its bounds against
 * float32 arithmetic that is right, and that is not.
 */
class OracleTest {

  private static final float NONE = Float.NEGATIVE_INFINITY;
  private static final double EXACT = 1e-7; // operands are float32
  private static final int CASES = 300;

  /** A row of two parts and two columns. */
  private static CaseBuilder small() {
    return new CaseBuilder().sizes(1, 2, 1, 1, 2).lse();
  }

  private static Operands operands(float first, float second, float sink) {
    Map<String, float[]> all = new HashMap<>();
    all.put("outs", new float[] {1, 2, 5, -6});
    all.put("lses", new float[] {first, second});
    all.put("sinks", new float[] {sink});
    return new Operands(all);
  }

  private static void assertMerged(CaseBuilder c, Operands data, double lse, double... out) {
    Map<String, Expected> got = Oracle.run(c.build(), data);
    assertEquals(lse, got.get("lse").value(0), EXACT);
    for (int i = 0; i < out.length; i++) {
      assertEquals(out[i], got.get("out").value(i), EXACT, "element " + i);
      assertEquals(Expected.COMPARE, got.get("out").state(i));
    }
  }

  private static float ln(double x) {
    return (float) Math.log(x);
  }

  @Test
  void mergesByHand() {
    assertMerged(small(), operands(ln(1), ln(3), 0), Math.log(4), 4, -4);
    assertMerged(small(), operands(ln(2), ln(2), 0), Math.log(4), 3, -2);
    assertMerged(small().sinks(), operands(ln(1), ln(1), ln(2)), Math.log(4), 1.5, -1);
    assertMerged(small().sinks(), operands(ln(1), ln(3), NONE), Math.log(4), 4, -4);
    assertMerged(small(), operands(1e6f + 3, 1e6f + 3, 0), 1e6 + 3 + Math.log(2), 3, -2);
  }

  @Test
  void partsWithoutKeysAddNothing() {
    Operands data = operands(NONE, 7, 0);
    data.get("outs")[0] = Float.NaN;
    data.get("outs")[1] = Float.NaN;
    assertMerged(small(), data, 7, 5, -6);
    data.get("lses")[0] = -82;
    assertMerged(small(), data, 7, 5, -6); // 89 below
    data.get("lses")[1] = NONE;
    data.get("lses")[0] = NONE;
    data.get("outs")[3] = Float.NaN;
    assertMerged(small(), data, NONE, 0, 0);
    data.get("sinks")[0] = -3;
    assertMerged(small().sinks(), data, -3, 0, 0);
  }

  @Test
  void whatIsNoNumberFollowsTheArithmetic() {
    double nan = Double.NaN;
    assertMerged(small(), operands(Float.POSITIVE_INFINITY, 1, 0), nan, nan, nan);
    assertMerged(small(), operands(Float.NaN, NONE, 0), nan, nan, nan);
    assertMerged(small().sinks(), operands(1, 2, Float.NaN), nan, nan, nan);
    assertMerged(small().sinks(), operands(NONE, NONE, Float.POSITIVE_INFINITY), nan, nan, nan);
    Operands data = operands(1, 1, 0);
    data.get("outs")[0] = Float.POSITIVE_INFINITY;
    data.get("outs")[3] = Float.NaN;
    assertMerged(small(), data, 1 + Math.log(2), Double.POSITIVE_INFINITY, nan);
    data.get("outs")[2] = Float.NEGATIVE_INFINITY;
    assertMerged(small(), data, 1 + Math.log(2), nan, nan);
    data.get("lses")[1] = 1 - 87.5f; // may count as nothing
    assertEquals(Expected.FREE, Oracle.run(small().build(), data).get("out").state(1));
  }

  /** Softmax over the keys of all parts at once, of which each part is a softmax over its own. */
  @Test
  void itIsTheSoftmaxOverAllKeys() {
    for (int seed = 0; seed < 50; seed++) {
      Gaussian random = new Gaussian(Gaussian.mix(seed));
      int parts = 1 + seed % 5;
      boolean sink = seed % 2 == 0;
      MergeCase c = (sink ? small().sinks() : small()).sizes(1, parts, 1, 1, 1).build();
      Operands data =
          new Operands(
              Map.of(
                  "outs", new float[parts],
                  "lses", new float[parts],
                  "sinks", new float[] {random.nextNormal()}));
      double sum = sink ? Math.exp(data.get("sinks")[0]) : 0;
      double weighted = 0;
      for (int p = 0; p < parts; p++) {
        double own = 0;
        double ownWeighted = 0;
        for (int key = 0; key < 7; key++) {
          double power = Math.exp(4 * random.nextNormal());
          own += power;
          ownWeighted += power * random.nextNormal();
        }
        sum += own;
        weighted += ownWeighted;
        data.get("lses")[p] = (float) Math.log(own);
        data.get("outs")[p] = (float) (ownWeighted / own);
      }
      Map<String, Expected> got = Oracle.run(c, data);
      assertEquals(Math.log(sum), got.get("lse").value(0), 4e-6); // lses of parts are float32
      assertEquals(weighted / sum, got.get("out").value(0), 4e-6);
    }
  }

  /** In float32, with a mistake or none. */
  private record Kernel(MergeCase c, Operands data, Mistake mistake) {

    private enum Mistake {
      NONE,
      LAST_PART_LEFT_OUT,
      SINK_LEFT_OUT,
      NOT_RELATIVE_TO_LARGEST,
      NOT_DIVIDED
    }

    float power(double lse, float base) {
      float below = (float) lse - base;
      float exponent = below * 1.44269504f;
      return exponent < -126 ? 0 : (float) Math.pow(2, exponent);
    }

    float[] row(int b, int h, int i) {
      MergeSizes s = c.sizes();
      int parts = s.parts() - (mistake == Mistake.LAST_PART_LEFT_OUT ? 1 : 0);
      double largest = data.largest(c, b, h, i);
      boolean absolute = mistake == Mistake.NOT_RELATIVE_TO_LARGEST;
      float base = absolute || largest == NONE ? 0 : (float) largest;
      float sum = mistake == Mistake.SINK_LEFT_OUT ? 0 : power(data.sink(c, h), base);
      for (int p = 0; p < parts; p++) {
        sum += power(data.lse(c, p, b, h, i), base);
      }
      float inverse = sum == 0 ? 0 : mistake == Mistake.NOT_DIVIDED ? 1 : 1 / sum;
      float[] out = new float[s.width() + 1];
      out[s.width()] = base + (float) Math.log(sum);
      for (int p = 0; p < parts; p++) {
        float weight = power(data.lse(c, p, b, h, i), base) * inverse;
        for (int e = 0; e < s.width() && weight != 0; e++) {
          out[e] += weight * data.get("outs")[c.outsAt(p, b, i, h) + e];
        }
      }
      return out;
    }

    boolean fits() {
      MergeSizes s = c.sizes();
      Map<String, Expected> right = Oracle.run(c, data);
      boolean fits = true;
      for (int row = 0; row < s.rows(); row++) {
        int h = row % s.heads();
        int i = row / s.heads() % s.length();
        int b = row / s.heads() / s.length();
        float[] got = row(b, h, i);
        for (int e = 0; e < s.width(); e++) {
          fits &= fits(right.get("out"), c.outAt(b, i, h) + e, got[e]);
        }
        fits &= !c.has("lse") || fits(right.get("lse"), c.lseAt(b, h, i), got[s.width()]);
      }
      return fits;
    }

    private static boolean fits(Expected expected, int at, float got) {
      float rounded = Rounding.round(expected.dtype(), got);
      double exact = expected.value(at);
      return expected.state(at) == Expected.FREE
          || Double.compare(rounded, exact) == 0
          || rounded == exact
          || Math.abs(rounded - exact) <= expected.allowed(at);
    }
  }

  @Test
  void boundsHoldForFloat32AndCatchMistakes() {
    int[] caught = new int[Kernel.Mistake.values().length];
    int judged = 0;
    for (int index = 0; index < CASES; index++) {
      MergeCase c = CaseGenerator.generate(5, index, Limits.SIM);
      if (c.sizes().rows() == 0 || !c.has("sinks")) {
        continue;
      }
      judged++;
      Operands data = Operands.of(c);
      for (Kernel.Mistake mistake : Kernel.Mistake.values()) {
        boolean fits = new Kernel(c, data, mistake).fits();
        caught[mistake.ordinal()] += fits ? 0 : 1;
        assertTrue(fits || mistake != Kernel.Mistake.NONE, c::toString);
      }
    }
    assertTrue(judged > 80, judged + " cases");
    for (Kernel.Mistake mistake : Kernel.Mistake.values()) {
      boolean often = caught[mistake.ordinal()] > judged / 4;
      assertTrue(
          mistake == Kernel.Mistake.NONE || often, mistake + " " + caught[mistake.ordinal()]);
    }
  }

  /** What is allowed follows from what lses differ by, not from how large they are. */
  @Test
  void largeLsesAreHeldAsTight() {
    for (DType type : List.of(DType.FLOAT32, DType.BFLOAT16)) {
      MergeCase c =
          new CaseBuilder().dtype(type).lses(Lses.LARGE, false).content(Content.NORMAL, 3).build();
      Expected out = Oracle.run(c, Operands.of(c)).get("out");
      for (int i = 0; i < out.elements(); i++) {
        double rounding = Rounding.unit(type) * Math.abs(out.value(i));
        assertTrue(out.allowed(i) < rounding + 1e-4, () -> type + " " + out.allowed(0));
      }
    }
  }
}

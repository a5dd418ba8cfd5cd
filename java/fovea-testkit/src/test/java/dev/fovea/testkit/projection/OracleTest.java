package dev.fovea.testkit.projection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.projection.CaseBuilder.Sharing;
import dev.fovea.testkit.projection.ProjectionCase.Content;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, against the identities that its gradients have, and its
 * bounds against a kernel that is right and one that is not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 150;

  /** Two sequences of 3 positions, of which the second has 2, two heads of one column, R = 2. */
  private static CaseBuilder small(Sharing sharing) {
    return new CaseBuilder().sizes(2, 3, 2, 2, 1).lengths(3, 2).sharing(sharing);
  }

  /** x [B, S, H], dout [B, R, H], weight [H or 1, R, S]. */
  private static Operands operands(float... weight) {
    float nan = Float.NaN;
    return new Operands(
        Map.of(
            "x", new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, nan, nan},
            "dout", new float[] {1, -1, 2, -2, 3, -3, 4, -4},
            "weight", weight));
  }

  private static final float[] SHARED = {1, 0, 2, -1, 3, 0.5f};
  private static final float[] EACH = {1, 0, 2, -1, 3, 0.5f, 0, 1, 1, 2, -2, 4};

  private static void assertValues(Expected got, double... values) {
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], got.value(i), EXACT, "element " + i);
      assertEquals(Expected.COMPARE, got.state(i), "element " + i);
    }
    assertEquals(values.length, got.elements());
  }

  @Test
  void projectionsByHand() {
    Expected shared =
        Oracle.run(small(Sharing.ONE).build(), operands(SHARED), Precision.CPU).get("out");
    assertValues(shared, 11, 14, 10.5, 13, 7, 8, 20, 22);
    Expected each =
        Oracle.run(small(Sharing.NONE).build(), operands(EACH), Precision.CPU).get("out");
    assertValues(each, 11, 10, 10.5, 20, 7, 10, 20, -4);
  }

  @Test
  void gradientsByHand() {
    ProjectionCase c = small(Sharing.ONE).backward(DType.FLOAT32).build();
    Map<String, Expected> shared = Oracle.run(c, operands(SHARED), Precision.CPU);
    assertValues(shared.get("dx"), -1, 1, 6, -6, 3, -3, -1, 1, 12, -12, 0, 0);
    // dout x of both heads: (1 - 2) + 3 (7 - 8), (3 - 4) + 3 (9 - 10), 5 - 6; and twice that, 4 of
    // 3
    assertValues(shared.get("dweight"), -4, -4, -1, -6, -6, -2);
    c = small(Sharing.NONE).backward(DType.FLOAT32).build();
    assertValues(
        Oracle.run(c, operands(EACH), Precision.CPU).get("dweight"),
        22,
        30,
        5,
        30,
        42,
        10,
        -26,
        -34,
        -6,
        -36,
        -48,
        -12);
  }

  @Test
  void gradientsThatAreAddedTo() {
    ProjectionCase c = small(Sharing.ONE).backward(DType.FLOAT32).accumulate().build();
    Map<String, float[]> data = new HashMap<>(operands(SHARED).all());
    data.put("dweight", new float[] {10, 20, 30, 40, 50, 60});
    Map<String, Expected> all = Oracle.run(c, new Operands(data), Precision.CPU);
    assertValues(all.get("dweight"), 6, 16, 29, 34, 44, 58);
    assertEquals(-1, all.get("dx").value(0), "dx is never added to");
  }

  private static int[] lengths(Gaussian random, int batch, int longest) {
    int[] lengths = new int[batch];
    for (int b = 0; b < batch; b++) {
      lengths[b] = random.between(0, longest);
    }
    return lengths;
  }

  /** Of rows in a buffer, the sum of products with those of another. */
  private static double product(
      Layout layout, Expected one, Layout otherLayout, float[] other, long... rows) {
    double sum = 0;
    long columns = layout.size()[rows.length];
    long count = 1;
    for (long size : rows) {
      count *= size;
    }
    long[] index = new long[rows.length];
    for (long row = 0; row < count; row++) {
      long left = row;
      for (int dim = index.length - 1; dim >= 0; dim--) {
        index[dim] = left % rows[dim];
        left /= rows[dim];
      }
      for (int i = 0; i < columns; i++) {
        double value = one.value(layout.at(index) + i);
        sum += value == 0 ? 0 : value * other[otherLayout.at(index) + i];
      }
    }
    return sum;
  }

  /**
   * out is linear in x and in weight: its product with dout is that of dx with x, and of dweight
   * with weight.
   */
  @Test
  void gradientsAreAdjoint() {
    for (int index = 0; index < CASES; index++) {
      Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
      int batch = random.between(1, 4);
      int length = random.between(1, 9);
      CaseBuilder c =
          new CaseBuilder()
              .dtype(random.pick(DType.FLOAT32, DType.BFLOAT16))
              .outDType(DType.FLOAT32)
              .sizes(
                  batch, length, random.between(1, 6), random.between(1, 3), random.between(1, 7))
              .sharing(random.pick(Sharing.values()))
              .content(Content.NORMAL, index);
      if (random.chance(0.5)) {
        c.lengths(lengths(random, batch, length));
      }
      ProjectionCase forward = c.build();
      ProjectionCase backward = c.backward(DType.FLOAT32).build();
      Operands data = Operands.of(backward);
      Expected out = Oracle.run(forward, data, Precision.CPU).get("out");
      Map<String, Expected> gradients = Oracle.run(backward, data, Precision.CPU);
      ProjectionSizes s = forward.sizes();
      double loss =
          product(
              forward.layout("out"),
              out,
              backward.layout("dout"),
              data.get("dout"),
              s.batch(),
              s.rank(),
              s.heads());
      double byX =
          product(
              backward.layout("dx"),
              gradients.get("dx"),
              backward.layout("x"),
              data.get("x"),
              s.batch(),
              s.length(),
              s.heads());
      Layout weight = backward.layout("weight");
      double byWeight =
          product(
              backward.layout("dweight"),
              gradients.get("dweight"),
              weight,
              data.get("weight"),
              weight.size()[0],
              s.rank());
      double room = 1e-9 * (1 + Math.abs(loss));
      assertEquals(loss, byX, room, forward::toString);
      assertEquals(loss, byWeight, room, forward::toString);
    }
  }

  /** A float32 sum in the order of positions, of those from {@code first} on. */
  private static float sum(ProjectionCase c, Operands data, int b, int r, int h, int d, int first) {
    float sum = 0;
    int weight = c.layout("weight").at(new long[] {c.own("weight", h), r});
    for (int j = first; j < c.sizes().length(b); j++) {
      float x = data.get("x")[c.layout("x").at(b, j, h) + d];
      sum += data.get("weight")[weight + j] * x;
    }
    return sum;
  }

  @Test
  void boundsHoldForFloat32AndCatchALostPosition() {
    int caught = 0;
    int judged = 0;
    for (Precision precision : List.of(Precision.CPU, Precision.TENSOR_CORE)) {
      for (int index = 0; index < CASES; index++) {
        ProjectionCase c = CaseGenerator.generate(Pass.FORWARD, 5, index, Limits.SIM);
        Operands data = Operands.of(c);
        Expected out = Oracle.run(c, data, precision).get("out");
        ProjectionSizes s = c.sizes();
        if (s.batch() == 0 || s.rank() == 0 || s.length(0) < 2 || c.outDType() != DType.FLOAT32) {
          continue;
        }
        int at = c.layout("out").at(0, s.rank() - 1, s.heads() - 1);
        int lost = 0;
        for (int d = 0; d < s.headDim(); d++) {
          float right = sum(c, data, 0, s.rank() - 1, s.heads() - 1, d, 0);
          float wrong = sum(c, data, 0, s.rank() - 1, s.heads() - 1, d, 1);
          boolean free = out.state(at + d) == Expected.FREE || !Float.isFinite(right);
          double allowed = out.allowed(at + d);
          double exact = out.value(at + d);
          assertTrue(free || Math.abs(right - exact) <= allowed, c::toString);
          lost += free || !(Math.abs(wrong - exact) <= allowed) ? 1 : 0;
        }
        judged++;
        caught += lost > 0 ? 1 : 0;
      }
    }
    assertTrue(judged > CASES / 2, judged + " judged");
    assertTrue(caught > judged * 0.97, caught + " of " + judged + " caught");
  }
}

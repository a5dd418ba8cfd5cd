package dev.fovea.testkit.norm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Directional;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.norm.CaseBuilder.Sharing;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand and against derivatives, and its bounds against a kernel that
 * is right and some that are not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 300;

  /** One row of 4. */
  private static CaseBuilder small() {
    return new CaseBuilder().sizes(1, 1, 1, 4).moments();
  }

  /** x with mean 3 and variance 3.5, or mean of squares 12.5. */
  private static Operands operands() {
    Map<String, float[]> all = new HashMap<>();
    all.put("x", new float[] {1, 2, 3, 6});
    all.put("weight", new float[] {1, 2, -1, 0.5f});
    all.put("bias", new float[] {10, 20, 30, 40});
    all.put("dout", new float[] {1, -1, 2, 4});
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
  void layersByHand() {
    Map<String, Expected> all = Oracle.run(small().epsilon(0.5).build(), operands());
    assertValues(all.get("out"), 9, 19, 30, 40.75);
    assertValues(all.get("mean"), 3);
    assertValues(all.get("inverse"), 0.5);
    CaseBuilder plain = small().epsilon(0.5).sharing(null, null);
    assertValues(Oracle.run(plain.build(), operands()).get("out"), -1, -0.5, 0, 1.5);
  }

  @Test
  void rootMeanSquaresByHand() {
    Map<String, Expected> all = Oracle.run(small().rms().epsilon(3.5).build(), operands());
    assertValues(all.get("out"), 10.25, 21, 29.25, 40.75);
    assertValues(all.get("inverse"), 0.25);
    assertEquals(2, all.size());
  }

  @Test
  void gradientsByHand() {
    CaseBuilder c = small().epsilon(0.5).backward(DType.FLOAT32);
    Map<String, Expected> layer = Oracle.run(c.build(), operands());
    assertValues(layer.get("dx"), 1, -0.6875, -0.875, 0.5625);
    assertValues(layer.get("dweight"), -1, 0.5, 0, 6);
    assertValues(layer.get("dbias"), 1, -1, 2, 4);
    Map<String, Expected> rms = Oracle.run(c.rms().epsilon(3.5).build(), operands());
    assertValues(rms.get("dx"), 0.23828125, -0.5234375, -0.53515625, 0.4296875);
    assertValues(rms.get("dweight"), 0.25, -0.5, 1.5, 6);
  }

  @Test
  void gradientsThatAreAddedTo() {
    Operands data = operands();
    data.all().put("dx", new float[] {1, 2, 3, 4});
    data.all().put("dweight", new float[] {10, 20, 30, 40});
    data.all().put("dbias", new float[] {50, 60, 70, 80});
    CaseBuilder c = small().epsilon(0.5).backward(DType.FLOAT32);
    Map<String, Expected> weights = Oracle.run(c.accumulate(false, true).build(), data);
    assertValues(weights.get("dx"), 1, -0.6875, -0.875, 0.5625);
    assertValues(weights.get("dweight"), 9, 20.5, 30, 46);
    assertValues(weights.get("dbias"), 51, 59, 72, 84);
    Map<String, Expected> dx = Oracle.run(c.accumulate(true, false).build(), data);
    assertValues(dx.get("dx"), 2, 1.3125, 2.125, 4.5625);
    assertValues(dx.get("dbias"), 1, -1, 2, 4);
  }

  /** Two positions of two heads: a gradient for each, or one for both. */
  @Test
  void gradientsOfHeads() {
    Map<String, float[]> all = new HashMap<>();
    all.put("x", new float[] {-1, 1, -2, 2, 3, 1, 5, 1}); // z of 1 and -1, either way round
    all.put("weight", new float[] {1, 1, 1, 1});
    all.put("dout", new float[] {1, 2, 3, 4, 5, 6, 7, 8});
    CaseBuilder c = new CaseBuilder().sizes(1, 2, 2, 2).epsilon(0).backward(DType.FLOAT32);
    c.sharing(Sharing.EACH, Sharing.ONE);
    Map<String, Expected> own = Oracle.run(c.build(), new Operands(all));
    assertValues(own.get("dweight"), 4, -4, 4, -4);
    assertValues(own.get("dbias"), 16, 20);
    c.sharing(Sharing.ONE, Sharing.EACH);
    Map<String, Expected> shared = Oracle.run(c.build(), new Operands(all));
    assertValues(shared.get("dweight"), 8, -8);
    assertValues(shared.get("dbias"), 6, 8, 10, 12);
  }

  @Test
  void whatIsNoNumberFollowsTheArithmetic() {
    double nan = Double.NaN;
    Operands data = operands();
    data.get("x")[3] = Float.NEGATIVE_INFINITY;
    Map<String, Expected> layer = Oracle.run(small().build(), data);
    assertValues(layer.get("out"), nan, nan, nan, nan);
    assertValues(layer.get("mean"), Double.NEGATIVE_INFINITY);
    Map<String, Expected> rms = Oracle.run(small().rms().build(), data);
    assertValues(rms.get("out"), 10, 20, 30, nan);
    assertValues(rms.get("inverse"), 0);
    data.all().put("x", new float[] {0.1f, 0.1f, 0.1f, 0.1f});
    assertValues(Oracle.run(small().build(), data).get("out"), 10, 20, 30, 40);
    Map<String, Expected> equal = Oracle.run(small().epsilon(0).build(), data);
    assertValues(equal.get("out"), nan, nan, nan, nan);
    assertValues(equal.get("inverse"), Double.POSITIVE_INFINITY);
  }

  /** What float32 holds of the squares of a row, or not. */
  @Test
  void rowsBeyondFloat32MayBeAnything() {
    Operands data = operands();
    for (float factor : new float[] {1e18f, 1e-18f, 3e19f, 1e-20f}) {
      data.all().put("x", new float[] {factor, 2 * factor, 3 * factor, 6 * factor});
      Expected out = Oracle.run(small().epsilon(0).sharing(null, null).build(), data).get("out");
      assertEquals(3 / Math.sqrt(3.5), out.value(3), 1e-6);
      boolean within = factor == 1e18f || factor == 1e-18f;
      assertEquals(within ? Expected.COMPARE : Expected.FREE, out.state(3), "" + factor);
    }
  }

  /** Numbers of 8 bits, so that steps of a power of two are exact. */
  private static float[] shortened(float[] values) {
    float[] few = values.clone();
    for (int i = 0; i < few.length; i++) {
      few[i] = Rounding.round(DType.BFLOAT16, few[i]);
    }
    return few;
  }

  private static double loss(NormCase c, Operands data) {
    Expected out = Oracle.run(c, data).get("out");
    double loss = 0;
    for (int i = 0; i < out.elements(); i++) {
      loss += out.value(i) * data.get("dout")[i];
    }
    return loss;
  }

  /** Gradients against central differences of the loss sum dout out, along random directions. */
  @Test
  void gradientsAreDerivatives() {
    for (int index = 0; index < CASES; index++) {
      Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
      CaseBuilder c = new CaseBuilder().epsilon(random.pick(0.1, 1.0)).moments();
      c.sizes(random.between(1, 2), random.between(1, 4), random.between(1, 3), 3 + index % 9);
      c.sharing(random.pick(Sharing.ONE, Sharing.EACH), random.pick(Sharing.ONE, Sharing.EACH));
      c.dataSeed = index;
      if (random.chance(0.4)) {
        c.rms();
      }
      NormCase forward = c.build();
      NormCase backward = c.backward(DType.FLOAT32).build();
      Operands data = Operands.of(forward);
      data.all().put("dout", Operands.of(backward).get("dout"));
      data.all().replaceAll((name, values) -> shortened(values));
      Map<String, Expected> gradients = Oracle.run(backward, data);
      for (String name : List.of("x", "weight", "bias")) {
        float[] operand = data.get(name);
        float[] way = Directional.direction(operand, index);
        double slope =
            Directional.derivative(
                0x1p-7,
                step -> {
                  Map<String, float[]> moved = new HashMap<>(data.all());
                  moved.put(name, Directional.moved(operand, way, step));
                  return loss(forward, new Operands(moved));
                });
        Expected gradient = gradients.get("d" + name);
        double along = 0;
        double sizes = 1;
        for (int i = 0; i < way.length; i++) {
          along += gradient.value(i) * way[i];
          sizes += Math.abs(gradient.value(i));
        }
        assertEquals(along, slope, 1e-5 * sizes, name + " of " + forward);
      }
    }
  }

  /** A kernel in float32, right or with one of some mistakes; null for a row that it leaves. */
  private static float[] normalized(float[] x, NormCase c, int mistake) {
    float share = 1f / x.length;
    float sum = 0;
    for (float element : x) {
      sum += element - x[0];
    }
    float pivot = c.centered() ? x[0] + sum * share : 0;
    float rest = 0;
    float squares = 0;
    for (float element : x) {
      float d = element - pivot;
      rest += d;
      squares += d * d;
    }
    rest = c.centered() ? rest * share : 0;
    float variance = squares * (mistake == 1 ? 1f / (x.length + 1) : share) - rest * rest;
    float inverse = 1 / (float) Math.sqrt(variance + (mistake == 2 ? 0 : c.epsilon()));
    float[] z = x.clone();
    for (int i = 0; i < x.length; i++) {
      float mean = mistake == 3 ? (sum - (x[x.length - 1] - x[0])) * share + x[0] : pivot;
      z[i] = ((x[i] - (c.centered() ? mean : 0)) - rest) * inverse;
    }
    return z;
  }

  @Test
  void boundsHoldForFloat32AndCatchMistakes() {
    int[] caught = new int[4];
    int[] judged = new int[4];
    for (int index = 0; index < 3 * CASES; index++) {
      NormCase c = CaseGenerator.generate(Pass.FORWARD, 5, index, Limits.SIM);
      NormSizes s = c.sizes();
      if (c.sizes().elements() == 0 || s.width() > 48 || s.width() < 2) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      int from = c.layout("x").at(0, 0, 0);
      float[] x = Arrays.copyOfRange(data.get("x"), from, from + s.width());
      for (int mistake = 0; mistake < 4; mistake++) {
        float[] z = normalized(x, c, mistake);
        boolean fits = true;
        for (int i = 0; i < z.length; i++) {
          float scaled =
              c.has("weight") ? z[i] * data.get("weight")[c.headAt("weight", 0) + i] : z[i];
          float got = c.has("bias") ? scaled + data.get("bias")[c.headAt("bias", 0) + i] : scaled;
          fits &= fits(out, c.layout("out").at(0, 0, 0) + i, got);
        }
        assertTrue(fits || mistake > 0, c::toString);
        boolean shows =
            c.outDType() == DType.FLOAT32
                && c.content() == NormCase.Content.NORMAL
                && (mistake != 2 || c.epsilon() > 1e-4f)
                && (mistake != 3 || c.centered());
        judged[mistake] += shows ? 1 : 0;
        caught[mistake] += shows && !fits ? 1 : 0;
      }
    }
    for (int mistake = 1; mistake < 4; mistake++) {
      assertTrue(judged[mistake] > 10, judged[mistake] + " judged");
      assertTrue(caught[mistake] > 0.95 * judged[mistake], mistake + ": " + caught[mistake]);
    }
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

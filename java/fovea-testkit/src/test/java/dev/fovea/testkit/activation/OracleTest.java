package dev.fovea.testkit.activation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation.Function;
import dev.fovea.DType;
import dev.fovea.testkit.Directional;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The oracle against results by hand, against differences of what it gives, and its bounds against
 * a kernel that is right and ones that are not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  /** Phi of 1, 2, 3, 6, 10 and 13 below 0, by tables to 18 digits. */
  private static final double[][] NORMAL = {
    {1, 0.158655253931457051},
    {2, 0.0227501319481792072},
    {3, 0.00134989803163009453},
    {6, 9.86587645037698141e-10},
    {10, 7.61985302416052606e-24},
    {13, 6.11716439954988206e-39}
  };

  @Test
  void functionsByTables() {
    for (double[] entry : NORMAL) {
      double a = entry[0];
      double tail = entry[1];
      assertEquals(1, Functions.normal(-a) / tail, EXACT);
      assertEquals(1 - tail, Functions.normal(a), 1e-15);
      assertEquals(-a * tail, Functions.of(Function.GELU, -a), EXACT * a * tail);
      double bell = Math.exp(-a * a / 2) / Math.sqrt(2 * Math.PI);
      assertEquals(1, Functions.slopeOf(Function.GELU, -a) / (tail - a * bell), 1e-10);
    }
    assertEquals(0.5, Functions.normal(0));
    assertEquals(0.841191990608306958, Functions.of(Function.GELU_TANH, 1), EXACT);
    assertEquals(0.731058578630004879, Functions.of(Function.SILU, 1), EXACT);
    assertEquals(-0.268941421369995121, Functions.of(Function.SILU, -1), EXACT);
    assertEquals(0.731058578630004879, Functions.of(Function.SIGMOID, 1), EXACT);
    assertEquals(0.761594155955764888, Functions.of(Function.TANH, 1), EXACT);
    assertEquals(0, Functions.of(Function.RELU, -1));
    assertEquals(1, Functions.of(Function.RELU, 1));
  }

  @Test
  void derivativesAreThoseOfTheFunctions() {
    for (Function f : Function.values()) {
      for (double z = -9.05; z < 9; z += 0.1) {
        double at = z;
        double by = Directional.derivative(1e-4, step -> Functions.of(f, at + step));
        assertEquals(by, Functions.slopeOf(f, z), 1e-9, f + " at " + z);
      }
    }
  }

  @Test
  void limitsAndZero() {
    for (Function f : List.of(Function.GELU, Function.GELU_TANH, Function.SILU, Function.RELU)) {
      assertEquals(0, Functions.of(f, -INFINITY), f.name());
      assertEquals(INFINITY, Functions.of(f, INFINITY), f.name());
      assertEquals(0, Functions.slopeOf(f, -INFINITY), f.name());
      assertEquals(1, Functions.slopeOf(f, INFINITY), f.name());
      assertEquals(f == Function.RELU ? 0 : 0.5, Functions.slopeOf(f, 0), f.name());
    }
    assertEquals(0, Functions.of(Function.SIGMOID, -INFINITY));
    assertEquals(1, Functions.of(Function.SIGMOID, INFINITY));
    assertEquals(-1, Functions.of(Function.TANH, -INFINITY));
    assertEquals(0, Functions.slopeOf(Function.TANH, INFINITY));
    for (Function f : Function.values()) {
      assertEquals(Double.NaN, Functions.of(f, Double.NaN), f.name());
      assertEquals(
          f == Function.IDENTITY ? 1 : Double.NaN, Functions.slopeOf(f, Double.NaN), f.name());
    }
  }

  /** One row of 4 columns of relu, with everything. */
  private static CaseBuilder small() {
    return new CaseBuilder()
        .sizes(1, 1, 4)
        .function(Function.RELU)
        .with("bias", "gate", "residual", "dx", "dbias", "dgate", "dresidual");
  }

  private static Operands operands() {
    Map<String, float[]> all = new HashMap<>();
    all.put("x", new float[] {1, -2, 3, -4});
    all.put("bias", new float[] {0.5f, 1, -4, 5});
    all.put("gate", new float[] {2, 3, 4, -5});
    all.put("residual", new float[] {10, 20, 30, 40});
    all.put("dout", new float[] {1, 2, 3, 4});
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
  void everythingByHand() {
    assertValues(Oracle.run(small().build(), operands()).get("out"), 13, 20, 30, 35);
    ActivationCase c = small().backward(DType.FLOAT32).build();
    Map<String, Expected> gradients = Oracle.run(c, operands());
    assertValues(gradients.get("dgate"), 1.5, 0, 0, 4);
    assertValues(gradients.get("dx"), 2, 0, 0, -20);
    assertValues(gradients.get("dbias"), 2, 0, 0, -20);
    assertValues(gradients.get("dresidual"), 1, 2, 3, 4);
  }

  /** Over both sequences of two rows, on top of what is there. */
  @Test
  void sumsOfColumnsByHand() {
    CaseBuilder c =
        new CaseBuilder()
            .sizes(2, 2, 2)
            .function(Function.IDENTITY)
            .with("dbias")
            .backward(DType.FLOAT32);
    Map<String, float[]> all = new HashMap<>();
    all.put("dout", new float[] {1, 2, 3, 4, 5, 6, 7, 8});
    all.put("dbias", new float[] {100, 200});
    Operands data = new Operands(all);
    assertValues(Oracle.run(c.build(), data).get("dbias"), 16, 20);
    assertValues(Oracle.run(c.accumulate().build(), data).get("dbias"), 116, 220);
  }

  /** By the generator alone: what is kept of row 1 of sequence 1, and by how much it grows. */
  @Test
  void dropoutByTheGenerator() {
    ActivationCase c =
        new CaseBuilder()
            .sizes(2, 2, 70)
            .function(Function.IDENTITY)
            .dropout(0.25f, 0x123456789abcdefL, 5)
            .build();
    float[] x = new float[280];
    for (int i = 0; i < x.length; i++) {
      x[i] = i % 7 == 0 ? Float.NaN : 1 + i;
    }
    Expected out = Oracle.run(c, new Operands(Map.of("x", x))).get("out");
    int dropped = 0;
    for (int j = 0; j < 70; j++) {
      int counter = (j >> 5) * 4 + (j >> 1 & 3);
      int[] words = Philox.words(counter, 1, 1, 5, 0x89abcdef, 0x01234567);
      boolean kept = (words[j >> 3 & 3] >>> 16 * (j & 1) & 0xffff) >= 16384;
      int at = 210 + j;
      dropped += kept ? 0 : 1;
      assertEquals(kept ? x[at] * 4.0 / 3 : 0, out.value(at), 1e-4, "column " + j);
    }
    assertTrue(dropped > 5 && dropped < 40, dropped + " dropped");
  }

  private static double loss(ActivationCase c, Operands data, Map<String, float[]> moved) {
    Map<String, float[]> all = new HashMap<>(data.all());
    all.putAll(moved);
    Expected out = Oracle.run(c, new Operands(all)).get("out");
    double loss = 0;
    for (int i = 0; i < out.elements(); i++) {
      loss += out.value(i) * data.get("dout")[i];
    }
    return loss;
  }

  /** Of every operand along a direction, where relu does not bend. */
  @Test
  void gradientsAreDerivativesOfTheLoss() {
    for (int index = 0; index < 200; index++) {
      Gaussian random = new Gaussian(Gaussian.mix(815 + index));
      Function function = random.pick(Function.values());
      CaseBuilder c =
          new CaseBuilder()
              .sizes(random.between(1, 3), random.between(1, 4), random.between(1, 40))
              .function(function == Function.RELU ? Function.SILU : function)
              .with("bias", "gate", "residual")
              .content(Content.NORMAL, index);
      if (random.chance(0.5)) {
        c.dropout(0.3f, random.nextLong(), index);
      }
      ActivationCase forward = c.build();
      c.with("dx", "dbias", "dgate", "dresidual").backward(DType.FLOAT32);
      ActivationCase backward = c.build();
      Operands data = Operands.of(backward);
      data.all().putAll(Operands.of(forward).all());
      Map<String, Expected> gradients = Oracle.run(backward, data);
      for (String operand : List.of("x", "bias", "gate", "residual")) {
        float[] way = Directional.direction(data.get(operand), index);
        double by =
            Directional.derivative(
                0x1p-8,
                step ->
                    loss(
                        forward,
                        data,
                        Map.of(operand, Directional.moved(data.get(operand), way, step))));
        Expected gradient = gradients.get("d" + operand);
        double sum = 0;
        double size = 0;
        for (int i = 0; i < way.length; i++) {
          sum += gradient.value(i) * way[i];
          size += Math.abs(gradient.value(i));
        }
        // Moved operands round to float32, by 2^-24 of the 2^-8 that they are moved.
        assertEquals(sum, by, 2e-4 * (1 + size), operand + " of " + forward);
      }
    }
  }

  private static float silu(float z) {
    return z / (1 + (float) Math.exp(-z));
  }

  /** A forward pass in float32: right, without its bias, with the gate of the row before. */
  @Test
  void boundsHoldForFloat32AndCatchWhatIsWrong() {
    int judged = 0;
    int[] caught = new int[2];
    for (int index = 0; index < 12_000; index++) {
      ActivationCase c = CaseGenerator.generate(Pass.FORWARD, 5, index, Limits.SIM);
      ActivationSizes s = c.sizes();
      boolean fits = c.function() == Function.SILU && c.has("bias") && c.has("gate");
      if (!fits || c.dropout() > 0 || c.content() != Content.NORMAL || s.rows() < 2) {
        continue;
      }
      if (c.layout("gate").isShared()) {
        continue;
      }
      Operands data = Operands.of(c);
      Expected out = Oracle.run(c, data).get("out");
      int b = s.batch() - 1;
      int row = s.length() - 1;
      int beforeRow = row > 0 ? row - 1 : 0;
      int beforeBatch = row > 0 ? b : b - 1;
      int[] lost = new int[3];
      for (int d = 0; d < s.width(); d++) {
        float bias = data.get("bias")[(int) c.layout("bias").offset() + d];
        float x = data.get("x")[c.at("x", b, row) + d];
        float gate = data.get("gate")[c.at("gate", b, row) + d];
        float other = data.get("gate")[c.at("gate", beforeBatch, beforeRow) + d];
        float[] y = {silu(x + bias) * gate, silu(x) * gate, silu(x + bias) * other};
        for (int way = 0; way < 3; way++) {
          float more = c.has("residual") ? data.get("residual")[c.at("residual", b, row) + d] : 0;
          double got = Rounding.round(out.dtype(), y[way] + more);
          int at = c.at("out", b, row) + d;
          lost[way] += Math.abs(got - out.value(at)) <= out.allowed(at) ? 0 : 1;
        }
      }
      assertEquals(0, lost[0], c::toString);
      judged += s.width() > 3 ? 1 : 0;
      caught[0] += s.width() > 3 && lost[1] > 0 ? 1 : 0;
      caught[1] += s.width() > 3 && lost[2] > 0 ? 1 : 0;
    }
    assertTrue(judged > 20, judged + " judged");
    assertTrue(caught[0] > judged * 0.97, caught[0] + " of " + judged + " without a bias");
    assertTrue(caught[1] > judged * 0.97, caught[1] + " of " + judged + " with another gate");
  }

  /** An infinity that meets what float32 may have as 0 may come to anything. */
  @Test
  void whatNobodyKnowsIsFree() {
    Measured little = new Measured(1e-40, 1e-38);
    assertEquals(INFINITY, little.times(Measured.exact(INFINITY)).error());
    assertEquals(0, Measured.exact(1e-40).times(Measured.exact(INFINITY)).error());
    Measured nothing = Measured.exact(0).times(Measured.exact(INFINITY));
    assertEquals(Double.NaN, nothing.value());
    assertEquals(0, nothing.error());
    assertEquals(INFINITY, Measured.exact(3e38).times(Measured.exact(2)).error());
    assertEquals(INFINITY, Measured.exact(3e38).plus(Measured.exact(3e38)).error());
    Measured beyond = Measured.exact(3e38).times(Measured.exact(2));
    assertEquals(INFINITY, beyond.times(Measured.exact(0)).error());
  }
}

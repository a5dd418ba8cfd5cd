package dev.fovea.testkit.optimizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The oracle against results by hand and the formulas of the papers, and its bounds against float32
 * arithmetic that is right, and that is not.
 */
class OracleTest {

  private static final double EXACT = 1e-12;
  private static final int CASES = 400;

  /** Numbers that float32 holds. */
  private static final float BETA1 = 0.75f;

  private static final float BETA2 = 0.5f;
  private static final float EPSILON = 0.25f;
  private static final float DECAY = 0.125f;
  private static final float RATE = 0.5f;
  private static final float FACTOR = 2;

  private static CaseBuilder small(Rule rule) {
    return new CaseBuilder().sizes(1, 2).rule(rule).numbers(BETA1, BETA2, EPSILON, DECAY);
  }

  /** Two parameters; corrections of 2 and 4. */
  private static Operands operands() {
    Map<String, float[]> all = new HashMap<>();
    all.put("gradient", new float[] {1, -3});
    all.put("rates", new float[] {RATE, 2, 4, FACTOR});
    all.put("parameter", new float[] {8, -16});
    all.put("mean", new float[] {4, 2});
    all.put("square", new float[] {2, 14});
    return new Operands(all);
  }

  private static void assertValues(Expected got, double... values) {
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], got.value(i), EXACT, "element " + i);
      assertEquals(Expected.COMPARE, got.state(i), "element " + i);
    }
    assertEquals(values.length, got.elements());
  }

  private static void assertStep(Rule rule, String name, double... values) {
    OptimizerCase c = small(rule).build();
    assertValues(Oracle.run(c, operands()).get(name), values);
    assertValues(Rounded.run(c, operands()).get(name), values); // all are exact in float32
  }

  /** g = 2 and -6, with the decay 3 and -8. */
  @Test
  void descentByHand() {
    assertStep(Rule.SGD, "parameter", 8 - 1.5, -16 + 4);
    assertStep(Rule.MOMENTUM, "mean", 3 + 3, 1.5 - 8);
    assertStep(Rule.MOMENTUM, "parameter", 8 - 3, -16 + 3.25);
    assertStep(Rule.NESTEROV, "mean", 3 + 3, 1.5 - 8);
    assertStep(Rule.NESTEROV, "parameter", 8 - (3 + 4.5) / 2, -16 + (8 + 4.875) / 2);
  }

  /** The mean of 4 and 2, and 2 and -6; the root of 4 times that of 2 and 4, and 14 and 36. */
  @Test
  void adamwByHand() {
    assertStep(Rule.ADAMW, "mean", 3.5, 0);
    assertStep(Rule.ADAMW, "square", 3, 25);
    double[] root = {Math.sqrt(12) + 0.25, 10.25};
    Expected exact = Oracle.run(small(Rule.ADAMW).build(), operands()).get("parameter");
    assertValues(exact, 8 * 0.9375 - 3.5 / root[0], -16 * 0.9375);
  }

  @Test
  void lionByHand() {
    assertStep(Rule.LION, "parameter", 8 * 0.9375 - 0.5, -16 * 0.9375); // of 3.5 and of 0
    assertStep(Rule.LION, "mean", 3, -2);
  }

  /** As they stand in the papers, in float64. */
  private static double[] byPaper(OptimizerCase c, double[] x, float[] rates) {
    double decay = c.numbers().weightDecay();
    double beta1 = c.numbers().beta1();
    double beta2 = c.numbers().beta2();
    double g = x[0] * rates[3];
    double p = x[1];
    DoubleBinaryOperator mix = (one, beta) -> one * beta + (1 - beta) * g;
    return switch (c.rule()) {
      case SGD -> new double[] {p - rates[0] * (g + decay * p), 0, 0};
      case MOMENTUM, NESTEROV -> {
        double m = beta1 * x[2] + (g + decay * p);
        double way = c.rule() == Rule.MOMENTUM ? m : g + decay * p + beta1 * m;
        yield new double[] {p - rates[0] * way, m, 0};
      }
      case ADAMW -> {
        double m = mix.applyAsDouble(x[2], beta1);
        double v = beta2 * x[3] + (1 - beta2) * g * g;
        double way = m * rates[1] / (Math.sqrt(v * rates[2]) + c.numbers().epsilon());
        yield new double[] {p - rates[0] * (way + decay * p), m, v};
      }
      case LION -> {
        double way = Math.signum(mix.applyAsDouble(x[2], beta1));
        yield new double[] {p - rates[0] * (way + decay * p), mix.applyAsDouble(x[2], beta2), 0};
      }
    };
  }

  @ParameterizedTest
  @EnumSource
  void theOracleIsThePapers(Rule rule) {
    for (int seed = 0; seed < 40; seed++) {
      OptimizerCase c =
          new CaseBuilder().sizes(3, 17).rule(rule).content(Content.NORMAL, seed).build();
      Operands data = Operands.of(c);
      Map<String, Expected> exact = Oracle.run(c, data);
      for (int row = 0; row < 3; row++) {
        for (int i = 0; i < 17; i++) {
          double[] x = new double[4];
          String[] names = {"gradient", "parameter", "mean", "square"};
          for (int k = 0; k < names.length; k++) {
            x[k] = c.has(names[k]) ? data.get(names[k])[c.at(names[k], row, i)] : 0;
          }
          double[] right = byPaper(c, x, data.get("rates"));
          for (int k = 1; k < names.length; k++) {
            if (c.has(names[k])) {
              double got = exact.get(names[k]).value(c.at(names[k], row, i));
              assertEquals(right[k - 1], got, 1e-12 * (1 + Math.abs(got)), names[k]);
            }
          }
        }
      }
    }
  }

  /** With gradients that stay, means go to them by way of corrections that go to 1. */
  @Test
  void correctionsUndoTheZerosAtFirst() {
    float[] mean = {0};
    float[] square = {0};
    for (int step = 1; step <= 50; step++) {
      CaseBuilder builder = new CaseBuilder().sizes(1, 1).numbers(0.9f, 0.99f, 0, 0);
      builder.step = step;
      OptimizerCase c = builder.build();
      float[] rates = OptimizerBinding.step(c).rates(1, step, 1);
      Operands data =
          new Operands(
              Map.of(
                  "gradient", new float[] {0.3f},
                  "rates", rates,
                  "parameter", new float[] {2},
                  "mean", mean,
                  "square", square));
      Map<String, Expected> exact = Oracle.run(c, data);
      assertEquals(1, exact.get("parameter").value(0), 1e-5, "step " + step);
      mean = new float[] {(float) exact.get("mean").value(0)};
      square = new float[] {(float) exact.get("square").value(0)};
      assertEquals(0.3, mean[0] * rates[1], 1e-6);
    }
  }

  @Test
  void whatIsNoNumberFollowsTheArithmetic() {
    double nan = Double.NaN;
    double infinity = Double.POSITIVE_INFINITY;
    Operands data = operands();
    data.get("gradient")[0] = Float.NaN;
    data.get("gradient")[1] = Float.POSITIVE_INFINITY;
    for (Map<String, Expected> got :
        List.of(
            Oracle.run(small(Rule.LION).build(), data),
            Rounded.run(small(Rule.LION).build(), data))) {
      assertValues(got.get("parameter"), nan, -16 * 0.9375 - 0.5);
      assertValues(got.get("mean"), nan, infinity);
    }
    Map<String, Expected> got = Oracle.run(small(Rule.ADAMW).build(), data);
    assertValues(got.get("square"), nan, infinity);
    assertValues(got.get("parameter"), nan, nan); // infinity over infinity
    data = operands();
    data.get("parameter")[0] = Float.NEGATIVE_INFINITY;
    got = Oracle.run(small(Rule.ADAMW).build(), data);
    assertValues(got.get("parameter"), -infinity, -15);
    data.get("rates")[2] = Float.NaN;
    got = Oracle.run(small(Rule.ADAMW).build(), data);
    assertValues(got.get("parameter"), nan, nan);
    assertValues(got.get("square"), 3, 25);
  }

  /** Every case that the generator makes; most elements have a bound. */
  @Test
  void boundsHoldForFloat32() {
    long held = 0;
    long free = 0;
    for (int i = 0; i < CASES; i++) {
      OptimizerCase c = CaseGenerator.generate(5, i, Limits.SIM);
      Operands data = Operands.of(c);
      Oracle.check(c, data, Rounded.run(c, data));
      for (Expected exact : Oracle.run(c, data).values()) {
        for (int k = 0; k < exact.elements(); k++) {
          held += exact.state(k) == Expected.COMPARE ? 1 : 0;
          free += exact.state(k) == Expected.FREE ? 1 : 0;
        }
      }
    }
    assertTrue(free < held / 10, free + " of " + held + " are free");
  }

  /** A step that is off by a thousandth, or goes by another number, is beyond them. */
  @ParameterizedTest
  @EnumSource
  void boundsCatchAnotherStep(Rule rule) {
    OptimizerCase c = new CaseBuilder().sizes(2, 50).rule(rule).build();
    OptimizerCase other =
        new CaseBuilder().sizes(2, 50).rule(rule).numbers(0.901f, 0.9985f, 1e-3f, 0.0101f).build();
    Operands data = Operands.of(c);
    Oracle.check(c, data, Rounded.run(c, data));
    Map<String, Expected> wrong = Rounded.run(other, data);
    assertThrows(IllegalStateException.class, () -> Oracle.check(c, data, wrong));
    data.get("rates")[0] *= 1.001f;
    Map<String, Expected> far = Rounded.run(c, data);
    data.get("rates")[0] /= 1.001f;
    assertThrows(IllegalStateException.class, () -> Oracle.check(c, data, far));
  }

  @Test
  void trackedBoundsAreOfTheSizeOfRoundings() {
    Tracked third = Tracked.of(1).over(Tracked.of(3));
    assertEquals(0x1p-24 / 3, third.error(), 1e-12);
    assertEquals(3 * 0x1p-24, third.plus(third).plus(third).error(), 0x1p-24);
    assertEquals(0, Tracked.of(2).sign().error());
    assertEquals(2, third.minus(third).sign().error());
    assertEquals(Double.POSITIVE_INFINITY, Tracked.of(1).over(third.minus(third)).error());
    assertEquals(Double.POSITIVE_INFINITY, Tracked.of(1e30f).times(Tracked.of(1e30f)).error());
    assertEquals(0, Tracked.of(Float.NaN).plus(third).error());
    assertTrue(third.minus(third).root().error() < 1e-3);
  }
}

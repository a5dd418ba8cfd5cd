package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Steps by hand, in place, of all rules; what a call refuses. */
class OptimizerStepTest {

  private static final float ROOM = 2e-7f; // of numbers of about 1, in float32

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor row(float... values) {
    return scope.copyOf(values, 1, values.length);
  }

  private Tensor rates(OptimizerStep rule, double rate, long step, double factor) {
    return scope.copyOf(rule.rates(rate, step, factor), OptimizerStep.RATES);
  }

  private static void assertRow(Tensor tensor, float... expected) {
    assertArrayEquals(expected, tensor.toFloatArray(), ROOM);
  }

  @Test
  void plainDescent() {
    OptimizerStep rule = OptimizerStep.sgd(0);
    Tensor parameter = row(1, 2, -3);
    rule.call(row(1, -2, 4), rates(rule, 0.5, 1, 1), parameter).run();
    assertRow(parameter, 0.5f, 3, -5);
    OptimizerStep decaying = rule.weightDecay(0.25);
    decaying.call(row(1, 1, 1), rates(rule, 0.5, 2, 4), parameter).run();
    assertRow(parameter, 0.5f - 0.5f * 4.125f, 3 - 0.5f * 4.75f, -5 - 0.5f * 2.75f);
  }

  @Test
  void momentum() {
    OptimizerStep rule = OptimizerStep.sgd(0.5);
    Tensor parameter = row(1, 1);
    Tensor mean = row(0, 0);
    Tensor gradient = row(1, -1);
    OptimizerStepCall call = rule.call(gradient, rates(rule, 0.1, 1, 1), parameter).mean(mean);
    call.run();
    assertRow(mean, 1, -1);
    assertRow(parameter, 0.9f, 1.1f);
    call.gradient(row(2, 2)).run();
    assertRow(mean, 2.5f, 1.5f);
    assertRow(parameter, 0.65f, 0.95f);
    Tensor ahead = row(1, 1);
    rule.nesterov().call(row(2, 4), rates(rule, 0.1, 1, 1), ahead).mean(row(2, -2)).run();
    assertRow(ahead, 1 - 0.1f * (2 + 1.5f), 1 - 0.1f * (4 + 1.5f));
  }

  /** In the first step m c1 is the gradient, and sqrt(v c2) its size. */
  @Test
  void adamwTakesEqualStepsAtFirst() {
    OptimizerStep rule = OptimizerStep.adamw(0.9, 0.5, 0).weightDecay(0.5);
    Tensor parameter = row(1, -2, 4);
    Tensor mean = row(0, 0, 0);
    Tensor square = row(0, 0, 0);
    OptimizerStepCall call =
        rule.call(row(3, -1e-3f, 1e4f), rates(rule, 0.1, 1, 0.5), parameter).mean(mean);
    call.square(square).run();
    assertArrayEquals(
        new float[] {0.95f - 0.1f, -1.9f + 0.1f, 3.8f - 0.1f}, parameter.toFloatArray(), 1e-6f);
    assertArrayEquals(new float[] {0.15f, -0.5e-4f, 500}, mean.toFloatArray(), 1e-3f);
    assertArrayEquals(new float[] {1.125f, 1.25e-7f, 1.25e7f}, square.toFloatArray(), 1e-6f);
  }

  /** By numbers of a second step, computed apart in double precision. */
  @Test
  void adamwByHand() {
    OptimizerStep rule = OptimizerStep.adamw(0.9, 0.99, 0.01);
    Tensor parameter = row(1);
    Tensor mean = row(0.5f);
    Tensor square = row(0.25f);
    rule.call(row(2), rates(rule, 0.1, 2, 1), parameter).mean(mean).square(square).run();
    double m = 0.9f * 0.5 + (1 - 0.9f) * 2;
    double v = 0.99f * 0.25 + (1 - 0.99f) * 4;
    double c1 = 1 / (1 - (double) 0.9f * 0.9f);
    double c2 = 1 / (1 - (double) 0.99f * 0.99f);
    assertRow(mean, (float) m);
    assertRow(square, (float) v);
    assertRow(parameter, (float) (1 - 0.1 * c1 * m / (Math.sqrt(c2 * v) + 0.01)));
  }

  @Test
  void lionGoesBySigns() {
    OptimizerStep rule = OptimizerStep.lion(0.5, 0.75).weightDecay(1);
    Tensor parameter = row(1, 1, 1);
    Tensor mean = row(1, 1, 0);
    rule.call(row(3, -3, 0), rates(rule, 0.25, 7, 1), parameter).mean(mean).run();
    assertRow(parameter, 0.5f, 1, 0.75f);
    assertRow(mean, 1.5f, 0, 0);
  }

  /** A minimum of a parabola: what optimizers are for. */
  @Test
  void allRulesGoDownhill() {
    OptimizerStep[] rules = {
      OptimizerStep.sgd(0),
      OptimizerStep.sgd(0.9),
      OptimizerStep.sgd(0.9).nesterov(),
      OptimizerStep.adamw(0.9, 0.999, 1e-8),
      OptimizerStep.lion(0.9, 0.99)
    };
    for (OptimizerStep rule : rules) {
      Tensor parameter = row(1, -2, 0.5f);
      Tensor gradient = row(0, 0, 0);
      Tensor rates = rates(rule, 0, 1, 1);
      OptimizerStepCall call = rule.call(gradient, rates, parameter);
      call.mean(rule.hasMean() ? row(0, 0, 0) : null);
      call.square(rule.hasSquare() ? row(0, 0, 0) : null);
      for (int t = 1; t <= 400; t++) {
        gradient.copyFrom(parameter.toFloatArray()); // of half its square
        rates.copyFrom(rule.rates(0.02, t, 1));
        call.run();
      }
      for (float it : parameter.toFloatArray()) {
        assertEquals(0, it, 0.03f, rule::toString);
      }
    }
  }

  /** What a model of mixed precision computes with, in the type of the gradient or another. */
  @Test
  void outIsTheParameterRounded() {
    OptimizerStep rule = OptimizerStep.sgd(0);
    Tensor gradient = row(1, 2, 3).to(scope, DType.BFLOAT16);
    Tensor parameter = row(1.001f, 2.002f, 3.003f);
    Tensor rates = rates(rule, 0.001, 1, 1);
    Tensor out = scope.allocate(DType.BFLOAT16, 1, 3);
    rule.call(gradient, rates, parameter).out(out).run();
    assertRow(parameter, 1, 2, 3);
    assertArrayEquals(new float[] {1, 2, 3}, out.toFloatArray());
    Tensor other = rule.outDType(DType.FLOAT16).call(gradient, rates, parameter).forward(scope);
    assertEquals(DType.FLOAT16, other.dtype());
    assertArrayEquals(parameter.to(scope, DType.FLOAT16).toFloatArray(), other.toFloatArray());
    refused(
        "out is BFLOAT16, expected FLOAT16",
        () -> rule.outDType(DType.FLOAT16).call(gradient, rates, parameter).out(out).run());
  }

  /** Matrices with room between their rows are stepped as they are; the room stays. */
  @Test
  void viewsAreSteppedWhereTheyAre() {
    OptimizerStep rule = OptimizerStep.sgd(0);
    Tensor all = scope.allocate(DType.FLOAT32, 4, 6).fill(1);
    Tensor gradient = scope.allocate(DType.FLOAT32, 4, 3).fill(2);
    rule.call(gradient, rates(rule, 0.25, 1, 1), all.slice(1, 2, 5)).run();
    for (int row = 0; row < 4; row++) {
      assertArrayEquals(new float[] {1, 1, 0.5f, 0.5f, 0.5f, 1}, all.select(0, row).toFloatArray());
    }
  }

  @Test
  void ratesAreReadByTheRun() {
    OptimizerStep rule = OptimizerStep.adamw(0.9, 0.99, 1e-8);
    float[] first = rule.rates(0.5, 1, 0.25);
    assertArrayEquals(new float[] {0.5f, 10, 100, 0.25f}, first, 1e-3f);
    assertEquals(1, rule.rates(0.5, 1 << 20, 1)[1]);
    assertArrayEquals(new float[] {0.5f, 1, 1, 2}, OptimizerStep.sgd(0.9).rates(0.5, 3, 2));
    assertThrows(IllegalArgumentException.class, () -> rule.rates(0.5, 0, 1));
    OptimizerStep plain = OptimizerStep.sgd(0);
    Tensor rates = rates(plain, 1, 1, 1);
    Tensor parameter = row(1);
    OptimizerStepCall call = plain.call(row(1), rates, parameter);
    call.run();
    assertRow(parameter, 0);
    rates.copyFrom(plain.rates(0.5, 2, 3));
    call.run();
    assertRow(parameter, -1.5f);
  }

  @Test
  void statesAreThoseOfTheRule() {
    Tensor one = row(1);
    OptimizerStep adamw = OptimizerStep.adamw(0.9, 0.999, 1e-8);
    OptimizerStep plain = OptimizerStep.sgd(0);
    OptimizerStep lion = OptimizerStep.lion(0.9, 0.99);
    assertTrue(adamw.hasMean() && adamw.hasSquare() && lion.hasMean());
    assertFalse(plain.hasMean() || plain.hasSquare() || lion.hasSquare());
    missing(
        "mean is not set: OptimizerStep[Lion, beta1=0.9, beta2=0.99] keeps one",
        lion.call(one, rates(lion, 1, 1, 1), row(1)));
    missing("square is not set", adamw.call(one, rates(lion, 1, 1, 1), row(1)).mean(row(0)));
    missing(
        "mean is set, but OptimizerStep[SGD] keeps none",
        plain.call(one, rates(lion, 1, 1, 1), row(1)).mean(row(0)));
    missing(
        "square is set, but",
        lion.call(one, rates(lion, 1, 1, 1), row(1)).mean(row(0)).square(row(0)));
  }

  private static void missing(String expected, OptimizerStepCall call) {
    String message = assertThrows(IllegalStateException.class, call::run).getMessage();
    assertTrue(message.startsWith(expected), message);
  }

  /** What is in place is checked like what is written, and its room against all others. */
  @Test
  void whatIsInPlaceSharesNothing() {
    OptimizerStep rule = OptimizerStep.lion(0.9, 0.99);
    Tensor gradient = row(1, 2, 3, 4);
    Tensor parameter = row(1, 2, 3, 4);
    Tensor rates = rates(rule, 1, 1, 1);
    refused(
        "parameter shares memory with gradient",
        () -> rule.call(gradient, rates, gradient).mean(row(0, 0, 0, 0)).run());
    refused(
        "shares memory with mean",
        () -> rule.call(gradient, rates, parameter).mean(parameter).run());
    refused(
        "mean shares memory with rates",
        () -> rule.call(gradient, rates, parameter).mean(rates.unsqueeze(0)).run());
    refused(
        "shares memory with out",
        () -> rule.call(gradient, rates, parameter).mean(row(0, 0, 0, 0)).out(parameter).run());
    Tensor readOnly = Tensor.of(Arena.ofAuto().allocate(16, 64).asReadOnly(), DType.FLOAT32, 1, 4);
    refused(
        "mean is over a read-only segment",
        () -> rule.call(gradient, rates, parameter).mean(readOnly).run());
    Tensor twice = row(1, 2).expand(2, 2);
    refused(
        "the strides of parameter make elements overlap",
        () -> OptimizerStep.sgd(0).call(gradient.reshape(2, 2), rates, twice).run());
    assertArrayEquals(new float[] {1, 2, 3, 4}, parameter.toFloatArray());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    OptimizerStep rule = OptimizerStep.sgd(0);
    Tensor rates = rates(rule, 1, 1, 1);
    Tensor one = row(1);
    refused(
        "gradient has shape [1], expected [B, N] = [any, any]",
        () -> rule.call(one.select(0, 0), rates, one).run());
    refused(
        "parameter has shape [1, 2], expected [B, N] = [1, 1]",
        () -> rule.call(row(1), rates, row(1, 2)).run());
    refused(
        "parameter is BFLOAT16, expected FLOAT32",
        () -> rule.call(row(1), rates, one.to(scope, DType.BFLOAT16)).run());
    refused(
        "rateCount is 3, expected 4 to 4",
        () -> rule.call(row(1), row(1, 1, 1).select(0, 0), one).run());
    refused("momentum is 1.5, expected 0 to 1", () -> OptimizerStep.sgd(1.5));
    refused("beta2 is NaN, expected 0 to 1", () -> OptimizerStep.lion(0.9, Double.NaN));
    refused("epsilon is -1.0, expected 0 or more", () -> OptimizerStep.adamw(0, 0, -1));
    refused("weightDecay is Infinity, expected 0", () -> rule.weightDecay(1.0 / 0));
    refused("outDType is INT32, expected a floating type", () -> rule.outDType(DType.INT32));
    for (OptimizerStep no : new OptimizerStep[] {rule, OptimizerStep.lion(0.9, 0.99)}) {
      assertThrows(IllegalStateException.class, no::nesterov);
    }
    assertThrows(NullPointerException.class, () -> rule.call(null, rates, one));
    assertThrows(NullPointerException.class, () -> rule.call(one, null, one));
    assertThrows(NullPointerException.class, () -> rule.call(one, rates, null));
    assertThrows(NullPointerException.class, () -> rule.call(one, rates, row(1)).gradient(null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  /** Once it is bound and has run. */
  @Test
  void aStepAllocatesNothing() {
    OptimizerStep rule = OptimizerStep.adamw(0.9, 0.999, 1e-8);
    OptimizerStepCall call =
        rule.call(row(1, 2, 3), rates(rule, 1e-3, 1, 1), row(1, 2, 3))
            .mean(row(0, 0, 0))
            .square(row(0, 0, 0))
            .out(row(0, 0, 0));
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 20 && least > 0; round++) {
      long before = AllocatedBytes.get();
      for (int run = 0; run < 2000; run++) {
        call.run();
      }
      least = Math.min(least, AllocatedBytes.get() - before);
    }
    assertEquals(0, least);
  }

  @Test
  void isAValue() {
    OptimizerStep rule = OptimizerStep.adamw(0.9, 0.999, 1e-8);
    assertEquals(rule, OptimizerStep.adamw(0.9, 0.999, 1e-8));
    assertEquals(rule.hashCode(), OptimizerStep.adamw(0.9, 0.999, 1e-8).hashCode());
    assertNotEquals(rule, rule.weightDecay(0.1));
    assertNotEquals(OptimizerStep.sgd(0.9), OptimizerStep.sgd(0.9).nesterov());
    assertEquals(
        "OptimizerStep[AdamW, beta1=0.9, beta2=0.999, epsilon=1.0E-8, weightDecay=0.1]",
        rule.weightDecay(0.1).toString());
    assertEquals(
        "OptimizerStep[SGD, momentum=0.9, nesterov, out=BFLOAT16]",
        OptimizerStep.sgd(0.9).nesterov().outDType(DType.BFLOAT16).toString());
    assertEquals("OptimizerStep[SGD]", OptimizerStep.sgd(0).toString());
    String text = OptimizerStep.sgd(0).call(row(1), rates(rule, 1, 1, 1), row(1)).toString();
    assertTrue(text.startsWith("OptimizerStepCall[OptimizerStep[SGD], gradient "), text);
  }
}

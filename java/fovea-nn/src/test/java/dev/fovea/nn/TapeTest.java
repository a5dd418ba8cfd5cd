package dev.fovea.nn;

import static dev.fovea.nn.Reference.attention;
import static dev.fovea.nn.Reference.columns;
import static dev.fovea.nn.Reference.linear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TapeTest {
  private static final int BATCH = 2;
  private static final int LENGTH = 5;
  private static final int WIDTH = 8;
  private static final int HEADS = 2;

  /** Query, key and value from one projection; optionally none of one of them. */
  private static final class Fused extends Module {
    final Linear in = child("in", new Linear(WIDTH, 3 * WIDTH));
    final Linear out = child("out", new Linear(WIDTH, 3));

    Variable forward(Variable x) {
      Variable[] parts =
          in.forward(x).reshape(x.size(0), x.size(1), 3, HEADS, WIDTH / HEADS).unbind(2);
      Variable attended = Functions.attention(Attention.create(), parts[0], parts[1], parts[2]);
      return out.forward(attended.reshape(x.size(0), x.size(1), WIDTH));
    }
  }

  private static double[] part(double[] x, int from) {
    return columns(x, 3 * WIDTH, from * WIDTH, WIDTH);
  }

  @Test
  void differentiatesThroughViews() {
    var module = new GradientCheck.Inputs<>(new Fused()).with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        module,
        tape -> module.module.forward(module.get(tape, "x")),
        p -> {
          double[] all =
              linear(
                  p.get("x"), p.get("module.in.weight"), p.get("module.in.bias"), WIDTH, 3 * WIDTH);
          double[] attended =
              attention(
                  part(all, 0),
                  part(all, 1),
                  part(all, 2),
                  BATCH,
                  HEADS,
                  HEADS,
                  WIDTH / HEADS,
                  false);
          return linear(attended, p.get("module.out.weight"), p.get("module.out.bias"), WIDTH, 3);
        },
        1e-5);
  }

  @Test
  void whatIsNotUsedOfAValueHasNoGradient() {
    var module = new GradientCheck.Inputs<>(new Fused()).with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        module,
        tape -> {
          Variable x = module.get(tape, "x");
          Variable all = module.module.in.forward(x);
          Variable[] parts = all.reshape(BATCH, LENGTH, 3, HEADS, WIDTH / HEADS).unbind(2);
          Variable attended = Functions.attention(Attention.create(), parts[0], parts[2], parts[2]);
          Variable late = attended.slice(1, 1, 4);
          return Functions.attention(Attention.create(), late, late, attended.slice(1, 0, 3));
        },
        p -> {
          double[] all =
              linear(
                  p.get("x"), p.get("module.in.weight"), p.get("module.in.bias"), WIDTH, 3 * WIDTH);
          double[] attended =
              attention(
                  part(all, 0),
                  part(all, 2),
                  part(all, 2),
                  BATCH,
                  HEADS,
                  HEADS,
                  WIDTH / HEADS,
                  false);
          return late(attended);
        },
        1e-5);
  }

  /** Attention of rows 1 to 3 among themselves, to the values of the first three. */
  private static double[] late(double[] x) {
    double[] late = new double[BATCH * 3 * WIDTH];
    double[] early = late.clone();
    for (int b = 0; b < BATCH; b++) {
      System.arraycopy(x, (b * LENGTH + 1) * WIDTH, late, b * 3 * WIDTH, 3 * WIDTH);
      System.arraycopy(x, b * LENGTH * WIDTH, early, b * 3 * WIDTH, 3 * WIDTH);
    }
    return attention(late, late, early, BATCH, HEADS, HEADS, WIDTH / HEADS, false);
  }

  @Test
  void oneValueInSeveralPlacesHasTheSumOfTheirGradients() {
    var module = GradientCheck.inputs().with("x", BATCH, LENGTH, HEADS, WIDTH / HEADS);
    GradientCheck.check(
        module,
        tape -> {
          Variable x = module.get(tape, "x");
          Variable once = Functions.attention(Attention.create(), x, x, x);
          return Functions.attention(Attention.create(), once, x, once);
        },
        p -> {
          double[] x = p.get("x");
          double[] once = attention(x, x, x, BATCH, HEADS, HEADS, WIDTH / HEADS, false);
          return attention(once, x, once, BATCH, HEADS, HEADS, WIDTH / HEADS, false);
        },
        1e-5);
  }

  @Test
  void memoryOfOtherShapesIsUsedAgain() {
    Fused model = new Fused();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu());
        Scope scope = Scope.open()) {
      long most = 0;
      for (int step = 0; step < 60; step++) {
        int length = 20 - step * 7 % 20;
        tape.begin();
        Variable y = model.forward(tape.input(DType.FLOAT32, 1, length, WIDTH));
        tape.backward(y, scope.allocate(DType.FLOAT32, y.shape()));
        if (step == 20) {
          most = tape.memoryHeld();
        }
      }
      assertEquals(most, tape.memoryHeld());
      assertTrue(parameters.count() > 0);
    }
  }

  @Test
  void refusesWhatIsNotItsOwn() {
    Fused model = new Fused();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu());
        Scope scope = Scope.open()) {
      Tape other = Tape.open(Device.cpu());
      Variable x = tape.input(DType.FLOAT32, 1, 3, HEADS, 4);
      Variable y = other.input(DType.FLOAT32, 1, 3, HEADS, 4);
      assertThrows(
          IllegalArgumentException.class, () -> Functions.attention(Attention.create(), x, y, y));
      Tensor seed = scope.allocate(DType.FLOAT32, 1, 3, HEADS, 4);
      assertThrows(IllegalArgumentException.class, () -> tape.backward(x, seed));
      Variable wide = tape.input(DType.FLOAT32, 1, 3, 7);
      String why =
          assertThrows(IllegalArgumentException.class, () -> model.in.forward(wide)).getMessage();
      assertTrue(why.contains("expected a last dimension of 8"), why);
      other.close();
      assertThrows(IllegalStateException.class, () -> other.input(DType.FLOAT32, 1));
      assertEquals(4, parameters.all().size());
    }
  }

  @Test
  void factorsOfAnotherTypeAreRefused() {
    Fused model = new Fused();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.BFLOAT16, 1);
        Tape tape = Tape.open(Device.cpu())) {
      Variable x = tape.input(DType.FLOAT32, 1, 3, WIDTH);
      assertThrows(IllegalArgumentException.class, () -> model.in.forward(x));
      assertEquals(DType.BFLOAT16, parameters.groups().getFirst().computed().dtype());
    }
  }

  @Test
  void firstValuesFollowFromSeedAndNameAlone() {
    Fused one = new Fused();
    Fused two = new Fused();
    GradientCheck.Inputs<Fused> wider = new GradientCheck.Inputs<>(new Fused());
    try (Parameters first = Parameters.of(one, Device.cpu(), 1);
        Parameters second = Parameters.of(two, Device.cpu(), 2);
        Parameters third = Parameters.of(wider, Device.cpu(), 1)) {
      Map<String, Parameter> names = first.named();
      assertArrayEquals(
          new String[] {"in.weight", "in.bias", "out.weight", "out.bias"},
          names.keySet().toArray());
      float[] weight = one.in.weight().value().toFloatArray();
      float bound = (float) Math.sqrt(6.0 / (4 * WIDTH));
      for (float each : weight) {
        assertTrue(Math.abs(each) <= bound);
      }
      assertTrue(weight[0] != two.in.weight().value().getFloat(0, 0));
      assertTrue(weight[0] != wider.module.in.weight().value().getFloat(0, 0)); // another name
      assertEquals("module.in.weight", wider.module.in.weight().name());
      assertEquals(second.count(), third.count());
    }
  }
}

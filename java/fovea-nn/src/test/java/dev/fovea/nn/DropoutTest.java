package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class DropoutTest {
  private static final int BATCH = 2;
  private static final int LENGTH = 4;
  private static final int WIDTH = 12;
  private static final double PROBABILITY = 0.3;

  /** What kept elements are multiplied by: probabilities are multiples of 2^-16. */
  private static final float SCALE = 65536f / (65536 - Math.round(65536 * PROBABILITY));

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  private static TransformerEncoder encoder(double dropout) {
    return new TransformerEncoder(TransformerConfig.of(WIDTH, 3).swiGlu(16).dropout(dropout), 2);
  }

  private static float[] values(Variable it) {
    return it.value().toFloatArray();
  }

  private static Variable input(Tape tape) {
    Variable x = tape.input(DType.FLOAT32, BATCH, LENGTH, WIDTH);
    float[] values = new float[BATCH * LENGTH * WIDTH];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(i);
    }
    x.value().copyFrom(values);
    return x;
  }

  /** Of a step: what comes out, and all gradients. */
  private static float[][] step(
      Tape tape, int number, Parameters parameters, Function<Variable, Variable> model) {
    tape.begin(number);
    parameters.zeroGradients();
    Variable out = model.apply(input(tape));
    try (Scope scope = Scope.open(tape.device())) {
      tape.backward(out, scope.allocate(DType.FLOAT32, out.shape()).fill(1));
    }
    return new float[][] {
      values(out),
      parameters.groups().getFirst().gradient().toFloatArray(),
      parameters.groups().getLast().gradient().toFloatArray()
    };
  }

  @Test
  void dropsTheSameInAStepThatIsRepeatedAndElseInAnother() {
    for (Device device : devices()) {
      TransformerEncoder encoder = encoder(PROBABILITY);
      try (Parameters parameters = Parameters.of(encoder, device, 1);
          Tape tape = Tape.open(device, 9);
          Tape same = Tape.open(device, 9);
          Tape other = Tape.open(device, 10)) {
        Function<Variable, Variable> model = x -> encoder.forward(x, Operands.none());
        float[][] third = step(tape, 3, parameters, model);
        float[][] fourth = step(tape, 4, parameters, model);
        assertArrayEquals(third, step(tape, 3, parameters, model));
        assertArrayEquals(fourth, step(same, 4, parameters, model));
        assertArrayEquals(third, step(same, 3, parameters, model));
        assertFalse(Arrays.equals(third[0], fourth[0]));
        assertFalse(Arrays.equals(third[0], step(other, 3, parameters, model)[0]));
      }
    }
  }

  @Test
  void dropsNothingInEvaluation() {
    for (Device device : devices()) {
      TransformerEncoder dropping = encoder(0.5);
      TransformerEncoder plain = encoder(0); // of the same first values: they follow from names
      try (Parameters first = Parameters.of(dropping, device, 1);
          Parameters second = Parameters.of(plain, device, 1);
          Tape tape = Tape.open(device);
          Tape inference = Tape.inference(device)) {
        Function<Variable, Variable> model = x -> dropping.forward(x, Operands.none());
        float[][] trained = step(tape, 1, first, model);
        dropping.train(false);
        assertFalse(dropping.isTraining());
        float[][] expected = step(tape, 1, second, x -> plain.forward(x, Operands.none()));
        assertArrayEquals(expected, step(tape, 1, first, model));
        assertArrayEquals(expected, step(tape, 2, first, model));
        inference.begin(5);
        assertArrayEquals(expected[0], values(model.apply(input(inference))));
        dropping.train(true);
        assertArrayEquals(trained, step(tape, 1, first, model));
      }
    }
  }

  @Test
  void decodersDropNothingInEvaluation() {
    TransformerConfig config = TransformerConfig.of(WIDTH, 3).postNorm();
    TransformerDecoder dropping = new TransformerDecoder(config.dropout(0.5), 2);
    TransformerDecoder plain = new TransformerDecoder(config, 2);
    try (Parameters first = Parameters.of(dropping, Device.cpu(), 1);
        Parameters second = Parameters.of(plain, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu())) {
      Function<Variable, Variable> model =
          x -> dropping.forward(x, x, Operands.none(), Operands.none());
      float[] trained = step(tape, 1, first, model)[0];
      float[][] expected =
          step(tape, 1, second, x -> plain.forward(x, x, Operands.none(), Operands.none()));
      assertFalse(Arrays.equals(expected[0], trained));
      dropping.train(false);
      assertArrayEquals(expected, step(tape, 7, first, model));
    }
  }

  /** Each element is 0 or scaled, and its gradient is 0 or the scale with it. */
  @Test
  void elementsAreDroppedOrScaledUpWithTheirGradients() {
    for (Device device : devices()) {
      var module = GradientCheck.inputs().with("x", 3, 50, 20);
      try (Parameters parameters = Parameters.of(module, device, 2);
          Tape tape = Tape.open(device, 4);
          Scope scope = Scope.open(device)) {
        Variable x = module.get(tape, "x");
        Variable out = Functions.dropout(x, PROBABILITY);
        tape.backward(out, scope.allocate(DType.FLOAT32, out.shape()).fill(1));
        float[] in = values(x);
        float[] dropped = values(out);
        float[] gradient = parameters.named().get("x").gradient().toFloatArray();
        int zeros = 0;
        for (int i = 0; i < in.length; i++) {
          float factor = dropped[i] == 0 ? 0 : SCALE;
          assertEquals(factor * in[i], dropped[i], 1e-6f);
          assertEquals(factor, gradient[i], 1e-6f);
          zeros += dropped[i] == 0 ? 1 : 0;
        }
        assertEquals(PROBABILITY, zeros / (double) in.length, 0.03);
        assertSame(x, Functions.dropout(x, 0));
      }
    }
  }

  /** Two places of one step drop different elements, and so do two sequences of a batch. */
  @Test
  void placesDropOnTheirOwn() {
    try (Tape tape = Tape.open(Device.cpu())) {
      Variable x = tape.input(DType.FLOAT32, 2, 8, 32);
      x.value().fill(1);
      float[] first = values(Functions.dropout(x, 0.5));
      float[] second = values(Functions.dropout(x, 0.5));
      assertFalse(Arrays.equals(first, second));
      assertFalse(Arrays.equals(first, 0, 256, first, 256, 512));
      int both = 0;
      for (int i = 0; i < first.length; i++) {
        both += first[i] == 0 && second[i] == 0 ? 1 : 0;
      }
      assertEquals(0.25, both / (double) first.length, 0.07); // three standard deviations
    }
  }

  private static void set(Map<String, Parameter> named, String name, double value) {
    named.get(name).value().fill((float) value);
  }

  /** A layer that adds 1 to its input, of which dropout leaves a part. */
  @Test
  void whatIsAddedToTheResidualStreamIsDropped() {
    for (Device device : devices()) {
      TransformerConfig config = TransformerConfig.of(WIDTH, 3).dropout(PROBABILITY);
      var layer = new TransformerEncoderLayer(config);
      try (Parameters parameters = Parameters.of(layer, device, 2);
          Tape tape = Tape.open(device, 4)) {
        set(parameters.named(), "attention.out.weight", 0);
        set(parameters.named(), "feed_forward.down.weight", 0);
        set(parameters.named(), "feed_forward.down.bias", 1);
        Variable x = input(tape);
        assertAdded(values(x), values(layer.forward(x, Operands.none())));
        set(parameters.named(), "feed_forward.down.bias", 0);
        set(parameters.named(), "attention.out.bias", 1);
        tape.begin();
        x = input(tape);
        assertAdded(values(x), values(layer.forward(x, Operands.none())));
      }
    }
  }

  private static void assertAdded(float[] x, float[] out) {
    int zeros = 0;
    for (int i = 0; i < x.length; i++) {
      float added = out[i] - x[i];
      assertEquals(added < 0.5 ? 0 : SCALE, added, 1e-5f);
      zeros += added < 0.5 ? 1 : 0;
    }
    assertTrue(zeros > 0 && zeros < x.length / 2, zeros + " of " + x.length);
  }

  /** Between the two layers, behind the function and the gate. */
  @Test
  void whatLiesBetweenTheFeedForwardLayersIsDropped() {
    Activation dropping = Activation.relu().dropout(PROBABILITY);
    for (boolean gated : new boolean[] {false, true}) {
      FeedForward layer =
          gated
              ? FeedForward.gated(WIDTH, WIDTH, dropping)
              : FeedForward.of(WIDTH, WIDTH, dropping, false);
      try (Parameters parameters = Parameters.of(layer, Device.cpu(), 2);
          Tape tape = Tape.open(Device.cpu(), 4)) {
        float[] identity = new float[WIDTH * WIDTH];
        for (int i = 0; i < WIDTH; i++) {
          identity[i * (WIDTH + 1)] = 1;
        }
        Tensor up = parameters.named().get("up.weight").value();
        up.slice(0, 0, WIDTH).copyFrom(identity);
        if (gated) {
          up.slice(0, WIDTH, 2 * WIDTH).copyFrom(identity);
        }
        parameters.named().get("down.weight").value().copyFrom(identity);
        Variable x = input(tape);
        float[] in = values(x);
        float[] out = values(layer.forward(x));
        int zeros = 0;
        for (int i = 0; i < in.length; i++) {
          float whole = Math.max(0, in[i]) * (gated ? in[i] : 1);
          zeros += out[i] == 0 && whole > 0 ? 1 : 0;
          assertEquals(out[i] == 0 ? 0 : SCALE * whole, out[i], 1e-5f);
        }
        assertTrue(zeros > 0, "nothing is dropped");
        layer.train(false);
        assertEquals(in[1] * (gated ? in[1] : 1), values(layer.forward(x))[1], 1e-6f);
      }
    }
  }

  @Test
  void refusesWhatIsNoProbability() {
    try (Tape tape = Tape.open(Device.cpu())) {
      Variable x = tape.input(DType.FLOAT32, 1, 2, 3);
      for (double bad : new double[] {-0.1, 1, 1.5, Double.NaN}) {
        assertThrows(IllegalArgumentException.class, () -> Functions.dropout(x, bad));
      }
    }
  }
}

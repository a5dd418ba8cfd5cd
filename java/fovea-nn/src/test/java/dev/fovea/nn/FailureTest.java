package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation;
import dev.fovea.Attention;
import dev.fovea.CrossEntropy;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Normalization;
import dev.fovea.RotaryEmbedding;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.train.Loss;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What throws says why, keeps no memory, and leaves the tape as it was. */
class FailureTest {
  private static final int WIDTH = 8;
  private static final Normalization RMS = Normalization.rms(1e-6);

  private static final class Model extends Module {
    final Linear in = child("in", new Linear(WIDTH, WIDTH));
    final TransformerEncoder encoder =
        child("encoder", new TransformerEncoder(TransformerConfig.of(WIDTH, 2), 1));
    final Parameter gain = parameter("gain", Initializer.constant(1), WIDTH);
    final Parameter table = parameter("table", Initializer.normal(1), 5, WIDTH);

    Variable forward(Tape tape) {
      Variable x = tape.input(DType.FLOAT32, 2, 3, WIDTH);
      x.value().fill(0.5f);
      return encoder.forward(in.forward(x), Operands.none());
    }
  }

  private final Model model = new Model();
  private final Parameters parameters = Parameters.of(model, Device.cpu(), 1);
  private final Tape tape = Tape.open(Device.cpu());
  private final Scope scope = Scope.open();
  private float[] expected;

  @BeforeEach
  void stepOnce() {
    expected = step();
  }

  @AfterEach
  void close() {
    tape.close();
    scope.close();
    parameters.close();
  }

  /** The gradient of a whole step. */
  private float[] step() {
    parameters.zeroGradients();
    tape.begin(1);
    Variable out = model.forward(tape);
    tape.backward(out, scope.allocate(DType.FLOAT32, out.shape()).fill(1));
    return parameters.groups().getFirst().gradient().toFloatArray();
  }

  /** After a whole step, in the middle of it and from its beginning, again and again. */
  private void assertRefused(Class<? extends RuntimeException> type, Consumer<Tape> what) {
    long held = 0;
    for (int n = 0; n < 8; n++) {
      tape.begin();
      if (n % 2 == 0) {
        model.forward(tape);
      }
      String message = assertThrows(type, () -> what.accept(tape)).getMessage();
      assertNotNull(message);
      held = n == 3 ? tape.memoryHeld() : held;
    }
    assertEquals(held, tape.memoryHeld(), "what is refused keeps memory");
    assertArrayEquals(expected, step());
    step();
  }

  private static Variable floats(Tape tape, long... shape) {
    return tape.input(DType.FLOAT32, shape);
  }

  private static Variable ints(Tape tape, long... shape) {
    return tape.input(DType.INT32, shape);
  }

  private void refusesShapes(Consumer<Tape> what) {
    assertRefused(IllegalArgumentException.class, what);
  }

  @Test
  void shapesOfLayersThatDoNotFit() {
    refusesShapes(it -> model.in.forward(floats(it, 2, 3, WIDTH - 1)));
    refusesShapes(it -> model.in.forward(floats(it)));
    refusesShapes(it -> model.encoder.forward(floats(it, 2, 3, WIDTH + 1), Operands.none()));
    refusesShapes(it -> model.encoder.forward(floats(it, WIDTH), Operands.none()));
    refusesShapes(it -> model.encoder.forward(floats(it, 3, WIDTH), Operands.none())); // not packed
    refusesShapes(it -> model.encoder.forward(floats(it, 2, 1, 3, WIDTH), Operands.none()));
    refusesShapes(
        it ->
            model.encoder.forward(
                floats(it, 2, 3, WIDTH), Operands.of("key_lengths", ints(it, 3))));
    refusesShapes(it -> Functions.linear(floats(it, 3, WIDTH), model.table, model.in.weight()));
  }

  @Test
  void shapesOfFunctionsThatDoNotFit() {
    refusesShapes(it -> Functions.add(floats(it, 2, 3, 4), floats(it, 3, 2, 4)));
    refusesShapes(it -> Functions.add(floats(it, 2, 6), floats(it, 3, 4)));
    refusesShapes(it -> Functions.add(floats(it, 2, 6), floats(it, 2, 2, 3)));
    refusesShapes(it -> Functions.add(floats(it, 12), floats(it, 1, 12)));
    refusesShapes(it -> Functions.add(floats(it, 1, 2, 3), floats(it, 6)));
    refusesShapes(
        it ->
            Functions.activation(
                Activation.relu(), floats(it, 3, 4), Operands.of("gate", floats(it, 4, 3))));
    refusesShapes(
        it ->
            Functions.activation(
                Activation.relu(), floats(it, 3, 4), Operands.of("bias", floats(it, 3))));
    refusesShapes(it -> Functions.concat(1, floats(it, 2, 3), floats(it, 3, 3)));
    refusesShapes(it -> Functions.concat(0, floats(it, 2, 3), floats(it, 6)));
    refusesShapes(it -> Functions.concat(0, floats(it, 2, 3), ints(it, 2, 3)));
    refusesShapes(it -> Functions.normalize(RMS, floats(it, 3, WIDTH - 1), model.gain, null));
    refusesShapes(it -> Functions.normalize(RMS, floats(it, 2, WIDTH), model.gain, model.table));
    refusesShapes(
        it ->
            Functions.rotary(
                RotaryEmbedding.halfSplit(),
                floats(it, 1, 5, 2, 4),
                floats(it, 1, 4, 2),
                floats(it, 1, 4, 2),
                null));
    Attention attention = Attention.create();
    refusesShapes(
        it -> Functions.attention(attention, floats(it, 6, 4), floats(it, 6, 4), floats(it, 6, 4)));
    refusesShapes(
        it -> {
          Variable key = floats(it, 1, 3, 2, 4);
          Functions.attention(attention, floats(it, 1, 3, 2, 5), key, key);
        });
  }

  @Test
  void crossEntropyThatDoesNotFit() {
    CrossEntropy loss = CrossEntropy.create();
    refusesShapes(it -> Functions.crossEntropy(loss, floats(it, 2, 3, 4), ints(it, 3, 2)));
    refusesShapes(it -> Functions.crossEntropy(loss, floats(it, 6, 4), ints(it, 6)));
    refusesShapes(it -> Functions.crossEntropy(loss, floats(it, 4), ints(it)));
    refusesShapes(it -> Functions.crossEntropy(loss, floats(it, 2, 3, 4), floats(it, 2, 3)));
    refusesShapes(
        it -> {
          Variable targets = ints(it, 2, 3);
          targets.value().fill(4); // no such class
          Loss.crossEntropy(floats(it, 2, 3, 4), targets);
        });
    refusesShapes(it -> Loss.meanSquaredError(floats(it, 2, 3), floats(it, 6)));
    refusesShapes(it -> Loss.pairwiseRanking(floats(it, 3, 2)));
  }

  @Test
  void viewsThatDoNotFit() {
    refusesShapes(it -> floats(it, 2, 6).reshape(5, 3));
    refusesShapes(it -> floats(it, 2, 6).slice(1, 0, 3).reshape(6));
    refusesShapes(it -> floats(it, 2, 6).split(1, 2, 3));
    refusesShapes(it -> floats(it, 2, 6).permute(0, 0));
    Class<IndexOutOfBoundsException> range = IndexOutOfBoundsException.class;
    assertRefused(range, it -> floats(it, 2, 6).split(1, 8, -2));
    assertRefused(range, it -> floats(it, 2, 6).slice(1, 4, 7));
    assertRefused(range, it -> floats(it, 2, 6).slice(2, 0, 1));
    assertRefused(range, it -> floats(it, 2, 6).unbind(2));
    assertRefused(range, it -> floats(it, 2, 6).transpose(0, 2));
    assertRefused(range, it -> Functions.concat(2, floats(it, 2, 6), floats(it, 2, 6)));
  }

  @Test
  void inputsThatThereAreNot() {
    refusesShapes(it -> floats(it, -2, -4));
    refusesShapes(it -> floats(it, -1, -8));
    refusesShapes(it -> floats(it, 1L << 32, 1L << 32));
    refusesShapes(it -> floats(it, 3, 1L << 62, 4));
  }

  @Test
  void typesThatDoNotFit() {
    refusesShapes(it -> model.in.forward(it.input(DType.BFLOAT16, 3, WIDTH)));
    refusesShapes(it -> model.in.forward(ints(it, 3, WIDTH)));
    refusesShapes(it -> Functions.relu(ints(it, 1, 2, 3)));
    refusesShapes(it -> Functions.concat(0, ints(it, 2, 3), ints(it, 2, 3)));
    refusesShapes(it -> Functions.add(floats(it, 1, 2, 3), it.input(DType.BFLOAT16, 1, 2, 3)));
  }

  /** Turned so that products cannot take it, in one step or in several. */
  @Test
  void rowsThatAreNotContiguous() {
    refusesShapes(it -> model.in.forward(floats(it, WIDTH, 3).transpose(0, 1)));
    refusesShapes(it -> model.in.forward(floats(it, 2, WIDTH, 3).transpose(1, 2)));
    refusesShapes(it -> model.in.forward(floats(it, 3, 2, WIDTH).transpose(0, 1)));
    refusesShapes(it -> model.in.forward(floats(it, 3, WIDTH, 2).unbind(2)[1]));
    refusesShapes(it -> Functions.relu(floats(it, 2, 3, 4).transpose(1, 2)));
  }

  @Test
  void operandsThatAreUnknown() {
    Operands nonsense = Operands.of("nonsense", floats(tape, 2, 3));
    for (long[] shape : new long[][] {{3, 4}, {1, 3, 4}}) {
      refusesShapes(
          it ->
              Functions.activation(
                  Activation.relu(),
                  floats(it, shape),
                  Operands.of("nonsense", floats(it, shape))));
    }
    refusesShapes(
        it ->
            model.encoder.forward(
                floats(it, 2, 3, WIDTH), Operands.of("nonsense", floats(it, 2, 3))));
    assertEquals(1, nonsense.names().size());
  }

  @Test
  void variablesOfAnotherTape() {
    try (Tape other = Tape.open(Device.cpu())) {
      Variable x = floats(other, 2, 3, WIDTH);
      refusesShapes(it -> Functions.add(floats(it, 2, 3, WIDTH), x));
      refusesShapes(it -> Functions.add(x, floats(it, 2, 3, WIDTH)));
      refusesShapes(it -> Functions.concat(0, floats(it, 2, 3, WIDTH), x));
      refusesShapes(
          it ->
              model.encoder.forward(
                  floats(it, 2, 3, WIDTH), Operands.of("key_lengths", ints(other, 2))));
      refusesShapes(it -> Functions.crossEntropy(CrossEntropy.create(), x, ints(it, 2, 3)));
      Variable y = model.in.forward(x);
      refusesShapes(it -> it.backward(y, scope.allocate(DType.FLOAT32, 2, 3, WIDTH)));
    }
  }

  /** What a step recorded that the next one did not is not to be used any more. */
  @Test
  void variablesOfAStepThatIsNoMore() {
    Variable old = Functions.tanh(model.in.forward(floats(tape, 4, WIDTH)));
    refusesShapes(it -> Functions.relu(old));
    refusesShapes(it -> Functions.add(floats(it, 4, WIDTH), old));
    refusesShapes(it -> it.backward(old, scope.allocate(DType.FLOAT32, 4, WIDTH)));
    tape.begin();
    Variable early = Functions.tanh(model.in.forward(floats(tape, 4, WIDTH)));
    tape.begin(); // nothing of it has been recorded again
    assertThrows(
        IllegalArgumentException.class,
        () -> tape.backward(early, scope.allocate(DType.FLOAT32, 4, WIDTH)));
  }

  @Test
  void gradientsThatDoNotFit() {
    refusesShapes(it -> it.backward(model.forward(it), scope.allocate(DType.FLOAT32, 2, 3)));
    refusesShapes(it -> it.backward(model.forward(it), scope.allocate(DType.INT32, 2, 3, WIDTH)));
    refusesShapes(
        it -> {
          Variable x = floats(it, 2, 3); // depends on nothing
          it.backward(Functions.relu(x), scope.allocate(DType.FLOAT32, 2, 3));
        });
    Scope closed = Scope.open();
    Tensor gone = closed.allocate(DType.FLOAT32, 2, 3, WIDTH);
    closed.close();
    assertRefused(IllegalStateException.class, it -> it.backward(model.forward(it), gone));
  }

  @Test
  void aTapeThatDoesNotDifferentiate() {
    try (Tape inference = Tape.inference(Device.cpu())) {
      Variable out = model.forward(inference);
      assertFalse(out.isDifferentiable());
      assertThrows(
          IllegalArgumentException.class,
          () -> inference.backward(out, scope.allocate(DType.FLOAT32, out.shape())));
    }
  }

  @Test
  void aTapeThatIsClosed() {
    Variable x = floats(tape, 2, 3, WIDTH);
    Variable y = model.in.forward(x);
    tape.close();
    tape.close();
    assertClosed(() -> floats(tape, 1));
    assertClosed(() -> model.forward(tape));
    assertClosed(() -> model.in.forward(x));
    assertClosed(() -> x.reshape(6, WIDTH));
    assertClosed(() -> x.unbind(0)[0]);
    assertClosed(() -> Functions.relu(x));
    assertClosed(() -> Functions.add(x, x));
    assertClosed(() -> Functions.concat(0, x, y));
    assertClosed(() -> model.encoder.forward(x, Operands.none()));
    assertClosed(() -> Functions.normalize(RMS, x, model.gain, null));
    assertClosed(() -> tape.parameter(model.gain));
    assertClosed(() -> tape.exactParameter(model.gain));
    assertClosed(() -> tape.constant(scope.allocate(DType.FLOAT32, 2)));
    assertClosed(() -> tape.constant("what", it -> it.allocate(DType.FLOAT32, 2)));
    assertThrows(IllegalStateException.class, () -> tape.begin());
    assertThrows(
        IllegalStateException.class,
        () -> tape.backward(y, scope.allocate(DType.FLOAT32, 2, 3, WIDTH)));
    assertThrows(IllegalStateException.class, () -> y.value().toFloatArray());
    assertEquals(0, tape.memoryHeld());
  }

  private static void assertClosed(Supplier<Variable> what) {
    String message = assertThrows(IllegalStateException.class, what::get).getMessage();
    assertTrue(message.contains("closed"), message);
  }

  @Test
  void parametersWithoutMemory() {
    Linear linear = new Linear(WIDTH, WIDTH);
    Norm norm = Norm.layer(WIDTH);
    Embedding embedding = new Embedding(3, WIDTH);
    FeedForward feedForward = FeedForward.of(WIDTH, 4, Activation.gelu());
    Class<IllegalStateException> state = IllegalStateException.class;
    assertRefused(state, it -> linear.forward(floats(it, 3, WIDTH)));
    assertRefused(state, it -> norm.forward(floats(it, 3, WIDTH)));
    assertRefused(state, it -> embedding.forward(ints(it, 1, 3)));
    assertRefused(state, it -> feedForward.forward(floats(it, 3, WIDTH)));
    assertThrows(state, () -> linear.weight().value());
    assertEquals(null, linear.weight().name());
  }

  @Test
  void parametersThatAreClosed() {
    parameters.close();
    Class<IllegalStateException> state = IllegalStateException.class;
    tape.begin(1);
    assertThrows(state, () -> model.forward(tape));
    tape.begin();
    Variable x = floats(tape, 2, 3, WIDTH);
    x.value().fill(-1);
    assertThrows(state, () -> Functions.normalize(RMS, x, model.gain, null));
    assertThrows(state, () -> Functions.linear(x, model.in.weight(), null));
    assertEquals(0, Functions.relu(x).value().getFloat(0, 0, 0));
  }

  /** A simulated GPU reads the memory of the host. */
  @Test
  void parametersOfADeviceThatSharesMemory() {
    Device device = GradientCheck.simulated();
    try (Tape other = Tape.open(device)) {
      float[] there = model.forward(other).value().toFloatArray();
      tape.begin(1);
      float[] here = model.forward(tape).value().toFloatArray();
      assertArrayEquals(here, there, 1e-6f);
    }
  }

  /** NaN goes where it is computed to, and no farther. */
  @Test
  void notANumber() {
    tape.begin();
    Variable x = floats(tape, 2, 3, WIDTH);
    x.value().fill(0.5f);
    x.value().slice(0, 1, 2).slice(1, 2, 3).fill(Float.NaN);
    Variable out = model.encoder.forward(x, Operands.none());
    float[] values = out.value().toFloatArray();
    for (int i = 0; i < values.length; i++) {
      // One key that is NaN is one for all queries of its sequence.
      assertEquals(i >= 3 * WIDTH, Float.isNaN(values[i]), "out[" + i + "]");
    }
    Variable targets = ints(tape, 2, 3);
    Loss loss = Loss.crossEntropy(out, targets);
    assertTrue(Double.isNaN(loss.value()));
    loss.backward();
    assertTrue(Double.isNaN(parameters.gradientNorm()));
    assertArrayEquals(expected, step());
  }
}

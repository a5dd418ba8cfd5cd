package dev.fovea.nn;

import static dev.fovea.nn.Reference.normalize;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.Activation;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Normalization;
import dev.fovea.Scope;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** Norms, embeddings and feed-forward layers. */
class LayersTest {
  private static final double TOLERANCE = 1e-5;

  private static final List<long[]> SHAPES =
      List.of(
          new long[] {7},
          new long[] {5, 7},
          new long[] {2, 3, 7},
          new long[] {2, 3, 2, 7},
          new long[] {1, 1, 7},
          new long[] {2, 1, 3, 2, 7});

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  // ---- norms

  private static void checkNorm(Device device, Norm norm, boolean centered, long... shape) {
    var module = new GradientCheck.Inputs<>(norm).with("x", shape);
    GradientCheck.check(
        device,
        module,
        tape -> module.module.forward(module.get(tape, "x")),
        p -> normalize(p.get("x"), p.get("module.weight"), p.get("module.bias"), centered),
        TOLERANCE);
  }

  @Test
  void normsOfEveryRank() {
    for (long[] shape : SHAPES) {
      checkNorm(Device.cpu(), Norm.layer(7), true, shape);
      checkNorm(Device.cpu(), Norm.rms(7), false, shape);
    }
    checkNorm(Device.cpu(), new Norm(Normalization.rms(Norm.EPSILON), 33, true), false, 3, 33);
    checkNorm(Device.cpu(), new Norm(Normalization.layer(Norm.EPSILON), 33, false), true, 3, 33);
  }

  @Test
  void normsOnASimulatedDevice() {
    checkNorm(GradientCheck.simulated(), Norm.layer(33), true, 2, 5, 33);
    checkNorm(GradientCheck.simulated(), Norm.rms(7), false, 2, 3, 2, 7);
  }

  /** Behind a projection that has more: the middle of its rows, with its gradient in the whole. */
  @Test
  void normsOfColumnsOfSomethingWider() {
    for (Device device : devices()) {
      var module = new GradientCheck.Inputs<>(Norm.layer(4)).with("x", 2, 3, 11);
      GradientCheck.check(
          device,
          module,
          tape -> module.module.forward(module.get(tape, "x").slice(2, 3, 7)),
          p ->
              normalize(
                  Reference.columns(p.get("x"), 11, 3, 4),
                  p.get("module.weight"),
                  p.get("module.bias"),
                  true),
          TOLERANCE);
    }
  }

  /** The same gains behind one another, and of two inputs. */
  @Test
  void aNormUsedAgainAddsItsGradients() {
    for (Device device : devices()) {
      var module = new GradientCheck.Inputs<>(Norm.layer(9)).with("x", 4, 9);
      GradientCheck.check(
          device,
          module,
          tape -> {
            Variable x = module.get(tape, "x");
            Variable once = module.module.forward(x);
            return Functions.add(module.module.forward(Functions.tanh(once)), once);
          },
          p -> {
            double[] weight = p.get("module.weight");
            double[] bias = p.get("module.bias");
            double[] once = normalize(p.get("x"), weight, bias, true);
            return Reference.add(
                normalize(Reference.map(once, Math::tanh), weight, bias, true), once);
          },
          TOLERANCE);
    }
  }

  @Test
  void normsRefuseRowsOfAnotherWidth() {
    Norm norm = Norm.layer(8);
    try (Parameters parameters = Parameters.of(norm, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu())) {
      for (long[] shape : new long[][] {{3, 7}, {2, 16}, {2, 3, 4}, {1, 1, 1, 1}, {4, 2}}) {
        Variable x = tape.input(DType.FLOAT32, shape);
        assertThrows(IllegalArgumentException.class, () -> norm.forward(x), () -> x.toString());
      }
      assertEquals(16, parameters.count());
    }
  }

  // ---- feed-forward

  private static void checkFeedForward(
      Device device, FeedForward layer, boolean gated, DoubleUnaryOperator f, long... shape) {
    int width = (int) shape[shape.length - 1];
    var module = new GradientCheck.Inputs<>(layer).with("x", shape);
    TransformerReference reference = new TransformerReference(width, 1);
    reference.isGated = gated;
    reference.activation = f;
    GradientCheck.check(
        device,
        module,
        tape -> module.module.forward(module.get(tape, "x")),
        p -> reference.feedForward(p, "module", p.get("x")),
        TOLERANCE);
  }

  @Test
  void feedForwardOfEveryRank() {
    for (long[] shape : SHAPES) {
      checkFeedForward(
          Device.cpu(), FeedForward.of(7, 13, Activation.gelu()), false, Reference::gelu, shape);
      checkFeedForward(
          Device.cpu(), FeedForward.gated(7, 5, Activation.silu()), true, Reference::silu, shape);
    }
  }

  @Test
  void feedForwardOfEveryFunctionAndWithoutBiases() {
    DoubleUnaryOperator relu = z -> Math.max(0, z);
    for (Device device : devices()) {
      checkFeedForward(device, FeedForward.of(6, 9, Activation.relu(), false), false, relu, 4, 6);
      checkFeedForward(device, FeedForward.of(6, 9, Activation.tanh()), false, Math::tanh, 2, 3, 6);
      checkFeedForward(
          device, FeedForward.gated(6, 9, Activation.sigmoid()), true, Reference::sigmoid, 5, 6);
      checkFeedForward(
          device, FeedForward.gated(6, 9, Activation.gelu()), true, Reference::gelu, 1, 3, 6);
    }
  }

  @Test
  void gatedLayersHaveNoBiases() {
    assertArrayEquals(
        new String[] {"up.weight", "down.weight"},
        FeedForward.gated(4, 6, Activation.silu()).namedParameters().keySet().toArray());
    Map<String, Parameter> plain = FeedForward.of(4, 6, Activation.relu()).namedParameters();
    assertArrayEquals(
        new String[] {"up.weight", "up.bias", "down.weight", "down.bias"},
        plain.keySet().toArray());
    assertArrayEquals(new long[] {6, 4}, plain.get("up.weight").shape());
  }

  /** Twice the same layer, one behind the other, with a residual stream. */
  @Test
  void aLayerUsedTwiceAddsItsGradients() {
    var module =
        new GradientCheck.Inputs<>(FeedForward.of(6, 9, Activation.gelu())).with("x", 2, 3, 6);
    TransformerReference reference = new TransformerReference(6, 1);
    GradientCheck.check(
        module,
        tape -> {
          Variable x = module.get(tape, "x");
          Variable once = Functions.add(x, module.module.forward(x));
          return Functions.add(once, module.module.forward(once));
        },
        p -> {
          double[] x = p.get("x");
          double[] once = Reference.add(x, reference.feedForward(p, "module", x));
          return Reference.add(once, reference.feedForward(p, "module", once));
        },
        TOLERANCE);
  }

  @Test
  void theWeightOfATableIsThatOfTheLastLayerToo() {
    final class Tied extends Module {
      final Embedding embedding = child("embedding", new Embedding(11, 6).learnedPositions(5));
      final Linear out = child("out", new Linear(embedding.table()));
    }
    for (Device device : devices()) {
      Tied tied = new Tied();
      assertArrayEquals(
          new String[] {"embedding.weight", "embedding.positions"},
          tied.namedParameters().keySet().toArray());
      int[] ids = {3, 3, 10, 0, 7, 3};
      GradientCheck.check(
          device,
          tied,
          tape ->
              tied.out.forward(
                  tied.embedding.forward(tape.constant("ids", scope -> scope.copyOf(ids, 2, 3)))),
          p -> {
            double[] table = p.get("embedding.weight");
            double[] rows = new double[6 * 6];
            Arrays.setAll(
                rows, i -> table[ids[i / 6] * 6 + i % 6] + p.get("embedding.positions")[i % 18]);
            return Reference.linear(rows, table, null, 6, 11);
          },
          TOLERANCE);
    }
  }

  @Test
  void sinusoidsAreThoseOfThePaper() {
    try (Scope scope = Scope.open()) {
      float[] even = Embedding.sinusoids(scope, DType.FLOAT32, 50, 6).toFloatArray();
      float[] odd = Embedding.sinusoids(scope, DType.FLOAT32, 50, 5).toFloatArray();
      for (int p = 0; p < 50; p++) {
        for (int i = 0; i < 3; i++) {
          double angle = p / Math.pow(10_000, 2.0 * i / 6);
          assertEquals(Math.sin(angle), even[p * 6 + 2 * i], 1e-7);
          assertEquals(Math.cos(angle), even[p * 6 + 2 * i + 1], 1e-7);
          assertEquals(Math.sin(p / Math.pow(10_000, 2.0 * i / 5)), odd[p * 5 + 2 * i], 1e-7);
        }
      }
    }
  }
}

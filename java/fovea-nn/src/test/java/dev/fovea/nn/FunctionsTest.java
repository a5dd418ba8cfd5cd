package dev.fovea.nn;

import static dev.fovea.nn.Reference.add;
import static dev.fovea.nn.Reference.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.fovea.Activation;
import dev.fovea.AdditiveAttention;
import dev.fovea.CrossEntropy;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Normalization;
import dev.fovea.RotaryEmbedding;
import dev.fovea.RotaryTables;
import dev.fovea.nn.Reference.Bias;
import dev.fovea.nn.train.Loss;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Functions of variables against the same in float64, with every gradient. */
class FunctionsTest {
  private static final double TOLERANCE = 1e-5;

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  private static void checkOne(
      Device device, UnaryOperator<Variable> f, DoubleUnaryOperator exact, long... shape) {
    var module = GradientCheck.inputs().with("x", shape);
    GradientCheck.check(
        device,
        module,
        tape -> f.apply(module.get(tape, "x")),
        p -> map(p.get("x"), exact),
        TOLERANCE);
  }

  @Test
  void functionsOfElementsOfEveryRank() {
    for (Device device : devices()) {
      for (long[] shape : new long[][] {{7}, {1, 1}, {3, 5}, {2, 3, 5}, {2, 1, 3, 2, 3}}) {
        checkOne(device, Functions::relu, z -> Math.max(0, z), shape);
        checkOne(device, Functions::gelu, Reference::gelu, shape);
        checkOne(device, Functions::silu, Reference::silu, shape);
        checkOne(device, Functions::sigmoid, Reference::sigmoid, shape);
        checkOne(device, Functions::tanh, Math::tanh, shape);
      }
    }
  }

  private static double geluTanh(double z) {
    return z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))) / 2;
  }

  @Test
  void anActivationWithAllThatStandsAroundIt() {
    for (Device device : devices()) {
      for (long[] shape : new long[][] {{4, 6}, {2, 3, 6}, {2, 2, 2, 6}, {6}}) {
        final class Biased extends Module {
          final Parameter bias = parameter("bias", Initializer.constant(0), 6);
        }
        var module =
            new GradientCheck.Inputs<>(new Biased())
                .with("x", shape)
                .with("gate", shape)
                .with("residual", shape);
        GradientCheck.check(
            device,
            module,
            tape ->
                Functions.activation(
                    Activation.geluTanh(),
                    module.get(tape, "x"),
                    Operands.of("bias", tape.exactParameter(module.module.bias))
                        .with("gate", module.get(tape, "gate"))
                        .with("residual", module.get(tape, "residual"))),
            p -> {
              double[] out = new double[p.get("x").length];
              Arrays.setAll(
                  out,
                  i ->
                      geluTanh(p.get("x")[i] + p.get("module.bias")[i % 6]) * p.get("gate")[i]
                          + p.get("residual")[i]);
              return out;
            },
            TOLERANCE);
      }
    }
  }

  @Test
  void sums() {
    for (Device device : devices()) {
      for (long[] shape : new long[][] {{4}, {3, 4}, {2, 3, 4}, {2, 1, 2, 3}}) {
        var module = GradientCheck.inputs().with("x", shape).with("y", shape);
        GradientCheck.check(
            device,
            module,
            tape -> Functions.add(module.get(tape, "x"), module.get(tape, "y")),
            p -> add(p.get("x"), p.get("y")),
            TOLERANCE);
        checkOne(device, x -> Functions.add(x, x), x -> 2 * x, shape);
      }
    }
  }

  /** Elements of a dense tensor behind one another along a dimension. */
  private static double[] concat(double[] a, double[] b, int outer, int inA, int inB) {
    double[] all = new double[a.length + b.length];
    for (int i = 0; i < outer; i++) {
      System.arraycopy(a, i * inA, all, i * (inA + inB), inA);
      System.arraycopy(b, i * inB, all, i * (inA + inB) + inA, inB);
    }
    return all;
  }

  @Test
  void concatenatesAlongAnyDimension() {
    for (Device device : devices()) {
      for (int dim = 0; dim < 3; dim++) {
        long[] shape = {2, 3, 4};
        long[] other = shape.clone();
        other[dim] = 2;
        int outer = new int[] {1, 2, 6}[dim];
        var module = GradientCheck.inputs().with("x", shape).with("y", other);
        int along = dim;
        GradientCheck.check(
            device,
            module,
            tape -> Functions.concat(along, module.get(tape, "x"), module.get(tape, "y")),
            p -> concat(p.get("x"), p.get("y"), outer, 24 / outer, p.get("y").length / outer),
            TOLERANCE);
      }
    }
  }

  @Test
  void crossEntropyOfRowsAndItsMean() {
    int[] targets = {2, -1, 6, 0, 3, -100};
    double smoothing = (float) 0.1;
    for (Device device : devices()) {
      var module = GradientCheck.inputs().with("x", 2, 3, 7);
      GradientCheck.check(
          device,
          module,
          tape ->
              Functions.crossEntropy(
                  CrossEntropy.create().labelSmoothing(smoothing),
                  module.get(tape, "x"),
                  tape.constant("t", scope -> scope.copyOf(targets, 2, 3))),
          p -> rows(p.get("x"), targets, smoothing),
          TOLERANCE);
    }
  }

  private static double[] rows(double[] x, int[] targets, double smoothing) {
    int classes = x.length / targets.length;
    double[] rows = new double[targets.length];
    for (int r = 0; r < rows.length; r++) {
      double sum = 0;
      double mean = 0;
      for (int v = 0; v < classes; v++) {
        sum += Math.exp(x[r * classes + v]);
        mean += x[r * classes + v] / classes;
      }
      if (targets[r] >= 0) {
        double chosen = x[r * classes + targets[r]];
        rows[r] = Math.log(sum) - (1 - smoothing) * chosen - smoothing * mean;
      }
    }
    return rows;
  }

  @Test
  void theLossIsTheMeanOfWhatIsNotIgnored() {
    int[] targets = {2, -1, 6, 0, 3, -100};
    for (Device device : devices()) {
      var module = GradientCheck.inputs().with("x", 2, 3, 7);
      try (Parameters parameters = Parameters.of(module, device, 1);
          Tape tape = Tape.open(device)) {
        Variable t = tape.input(DType.INT32, 2, 3);
        t.value().copyFrom(targets);
        Loss loss = Loss.crossEntropy(module.get(tape, "x"), t);
        loss.backward();
        double[] x = GradientCheck.doubles(parameters.named().get("x").value());
        double[] gradient = GradientCheck.doubles(parameters.named().get("x").gradient());
        assertEquals(Arrays.stream(rows(x, targets, 0)).sum() / 4, loss.value(), 1e-6);
        double[] expected = new double[x.length];
        for (int i = 0; i < x.length; i++) {
          double before = x[i];
          x[i] = before + 1e-5;
          double up = Arrays.stream(rows(x, targets, 0)).sum() / 4;
          x[i] = before - 1e-5;
          expected[i] = (up - Arrays.stream(rows(x, targets, 0)).sum() / 4) / 2e-5;
          x[i] = before;
        }
        GradientCheck.assertClose("dx", gradient, expected, TOLERANCE);
        t.value().fill(-1);
        parameters.zeroGradients();
        tape.begin();
        t = tape.input(DType.INT32, 2, 3);
        Loss none = Loss.crossEntropy(module.get(tape, "x"), t);
        none.backward();
        assertEquals(0, none.value());
        assertEquals(0, parameters.gradientNorm());
      }
    }
  }

  @Test
  void normalizationOfHeads() {
    final class Gains extends Module {
      final Parameter weight = parameter("weight", Initializer.constant(1), 3, 5);
      final Parameter bias = parameter("bias", Initializer.constant(0), 3, 5);
    }
    for (Device device : devices()) {
      var module = new GradientCheck.Inputs<>(new Gains()).with("x", 2, 4, 3, 5);
      GradientCheck.check(
          device,
          module,
          tape ->
              Functions.normalize(
                  Normalization.layer(Norm.EPSILON),
                  module.get(tape, "x"),
                  module.module.weight,
                  module.module.bias),
          p -> normalizeHeads(p),
          TOLERANCE);
      var bare = GradientCheck.inputs().with("x", 3, 6);
      double[] ones = new double[6];
      Arrays.fill(ones, 1);
      GradientCheck.check(
          device,
          bare,
          tape ->
              Functions.normalize(Normalization.rms(Norm.EPSILON), bare.get(tape, "x"), null, null),
          p -> Reference.normalize(p.get("x"), ones, null, false),
          TOLERANCE);
    }
  }

  private static double[] normalizeHeads(Map<String, double[]> p) {
    double[] ones = {1, 1, 1, 1, 1};
    double[] y = Reference.normalize(p.get("x"), ones, null, true);
    Arrays.setAll(y, i -> y[i] * p.get("module.weight")[i % 15] + p.get("module.bias")[i % 15]);
    return y;
  }

  @Test
  void rotaryOfTables() {
    int[] positions = {4, 0, 2, 2, 6, 1};
    for (Device device : devices()) {
      var module = GradientCheck.inputs().with("x", 2, 3, 2, 6);
      GradientCheck.check(
          device,
          module,
          tape ->
              Functions.rotary(
                  RotaryEmbedding.halfSplit(),
                  module.get(tape, "x"),
                  tape.constant("c", it -> RotaryTables.of(it, 7, 4, 50).cosines().unsqueeze(0)),
                  tape.constant("s", it -> RotaryTables.of(it, 7, 4, 50).sines().unsqueeze(0)),
                  tape.constant("p", it -> it.copyOf(positions, 2, 3))),
          p -> Reference.rotate(p.get("x"), 2, 6, 4, 50, row -> positions[row]),
          TOLERANCE);
    }
  }

  @Test
  void additiveAttention() {
    int heads = 2;
    int dim = 3;
    for (Device device : devices()) {
      var module =
          GradientCheck.inputs()
              .with("q", 2, 4, heads, dim)
              .with("k", 2, 5, heads, dim)
              .with("v", 2, 5, heads, dim)
              .with("w", heads, dim)
              .with("b", heads, dim);
      GradientCheck.check(
          device,
          module,
          tape ->
              Functions.additive(
                  AdditiveAttention.create(),
                  module.get(tape, "q"),
                  module.get(tape, "k"),
                  module.get(tape, "v"),
                  module.get(tape, "w"),
                  Operands.of("bias", module.get(tape, "b"))
                      .with(
                          "key_lengths", tape.constant("n", it -> it.copyOf(new int[] {2, 5}, 2)))),
          p -> {
            double[] q = p.get("q");
            double[] k = p.get("k");
            Bias mask = Bias.lengths(2, 5);
            return Reference.attention(
                (b, h, i, j) -> {
                  double score = mask.of(b, h, i, j);
                  for (int a = 0; a < dim; a++) {
                    score +=
                        p.get("w")[h * dim + a]
                            * Math.tanh(
                                q[((b * 4 + i) * heads + h) * dim + a]
                                    + k[((b * 5 + j) * heads + h) * dim + a]
                                    + p.get("b")[h * dim + a]);
                  }
                  return score;
                },
                p.get("v"),
                2,
                4,
                heads,
                heads,
                dim);
          },
          TOLERANCE);
    }
  }

  @Test
  void aDenseCopyOfWhatIsNotDense() {
    try (Tape tape = Tape.open(Device.cpu())) {
      Variable x = tape.input(DType.FLOAT32, 2, 3, 4);
      assertSame(x, Functions.contiguous(x));
    }
    for (Device device : devices()) {
      checkDense(device, x -> x.slice(2, 1, 3), 4, 2, 1); // of 24 elements 2, 3, 4
      checkDense(device, x -> x.slice(1, 1, 2), 12, 4, 4);
      checkDense(device, x -> x.reshape(2, 3, 2, 2).slice(3, 1, 2), 2, 1, 1);
      checkDense(device, x -> x.reshape(6, 4).slice(1, 2, 4), 4, 2, 2);
    }
  }

  private static void checkDense(
      Device device, UnaryOperator<Variable> view, int every, int count, int from) {
    var module = GradientCheck.inputs().with("x", 2, 3, 4);
    GradientCheck.check(
        device,
        module,
        tape -> Functions.contiguous(view.apply(module.get(tape, "x"))),
        p -> Reference.columns(p.get("x"), every, from, count),
        TOLERANCE);
  }
}

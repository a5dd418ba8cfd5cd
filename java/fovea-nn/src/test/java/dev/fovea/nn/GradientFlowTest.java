package dev.fovea.nn;

import static dev.fovea.nn.Reference.add;
import static dev.fovea.nn.Reference.columns;
import static dev.fovea.nn.Reference.linear;
import static dev.fovea.nn.Reference.map;

import dev.fovea.Activation;
import dev.fovea.Device;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Gradients that meet: of values used several times, in whole and in part, as they are or turned.
 */
class GradientFlowTest {
  private static final double TOLERANCE = 1e-5;

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  /** Of one input x [2, 3, 4], on every device. */
  private static void check(UnaryOperator<Variable> f, UnaryOperator<double[]> exact) {
    for (Device device : devices()) {
      var module = GradientCheck.inputs().with("x", 2, 3, 4);
      GradientCheck.check(
          device,
          module,
          tape -> f.apply(module.get(tape, "x")),
          p -> exact.apply(p.get("x")),
          TOLERANCE);
    }
  }

  private static double[] tanh(double[] x) {
    return map(x, Math::tanh);
  }

  private static double[] times(double[] x, double factor) {
    return map(x, it -> it * factor);
  }

  @Test
  void aValueAddedToItself() {
    check(x -> Functions.add(x, x), x -> times(x, 2));
    check(
        x -> {
          Variable twice = Functions.add(x, x);
          return Functions.add(twice, twice);
        },
        x -> times(x, 4));
    check(
        x -> {
          Variable y = Functions.tanh(x);
          return Functions.add(Functions.add(y, y), Functions.add(y, x));
        },
        x -> add(times(tanh(x), 3), x));
  }

  /** The gradient of the stream is passed on in the same memory, and then added to. */
  @Test
  void aStreamThatManyAddTo() {
    check(
        x -> {
          Variable a = Functions.add(x, Functions.tanh(x));
          Variable b = Functions.add(Functions.sigmoid(a), a);
          Variable c = Functions.add(b, Functions.tanh(b));
          return Functions.add(Functions.add(c, a), Functions.gelu(c));
        },
        x -> {
          double[] a = add(x, tanh(x));
          double[] b = add(map(a, Reference::sigmoid), a);
          double[] c = add(b, tanh(b));
          return add(add(c, a), map(c, Reference::gelu));
        });
  }

  @Test
  void aResidualThatIsUsedBeforeAndBehind() {
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable sum =
              Functions.activation(
                  Activation.silu(), Functions.sigmoid(y), Operands.of("residual", y));
          return Functions.activation(
              Activation.identity(), sum, Operands.of("gate", y).with("residual", sum));
        },
        x -> {
          double[] y = tanh(x);
          double[] sum = add(map(map(y, Reference::sigmoid), Reference::silu), y);
          double[] out = sum.clone();
          Arrays.setAll(out, i -> sum[i] * y[i] + sum[i]);
          return out;
        });
  }

  /** Gate, residual and x are one. */
  @Test
  void oneValueAsAllOperands() {
    check(
        x -> Functions.activation(Activation.tanh(), x, Operands.of("gate", x).with("residual", x)),
        x -> map(x, z -> Math.tanh(z) * z + z));
  }

  @Test
  void whatComesOutIsAView() {
    check(x -> Functions.tanh(x).slice(2, 1, 3), x -> columns(tanh(x), 4, 1, 2));
    check(x -> Functions.tanh(x).slice(0, 1, 2), x -> columns(tanh(x), 24, 12, 12));
    check(x -> Functions.tanh(x).split(2, 3, 1)[1], x -> columns(tanh(x), 4, 3, 1));
    check(x -> Functions.tanh(x).unbind(0)[0], x -> columns(tanh(x), 24, 0, 12));
    check(x -> Functions.tanh(x).reshape(4, 6), GradientFlowTest::tanh);
    check(
        x -> Functions.tanh(x).slice(1, 1, 3).slice(2, 0, 2),
        x -> columns(columns(tanh(x), 12, 4, 8), 4, 0, 2));
    check(x -> x.slice(1, 0, 2), x -> columns(x, 12, 0, 8)); // of a parameter
    check(x -> x.reshape(2, 12), x -> x.clone());
  }

  @Test
  void aViewAndTheWholeAreBothUsed() {
    // The view before the whole and behind it, so that each gradient comes first once.
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable part = Functions.sigmoid(y.slice(2, 1, 3));
          return Functions.add(part, Functions.gelu(y).slice(2, 0, 2));
        },
        x -> {
          double[] y = tanh(x);
          return add(
              map(columns(y, 4, 1, 2), Reference::sigmoid),
              columns(map(y, Reference::gelu), 4, 0, 2));
        });
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable whole = Functions.gelu(y);
          return Functions.add(whole.slice(2, 0, 2), Functions.sigmoid(y.slice(2, 1, 3)));
        },
        x -> {
          double[] y = tanh(x);
          return add(
              columns(map(y, Reference::gelu), 4, 0, 2),
              map(columns(y, 4, 1, 2), Reference::sigmoid));
        });
  }

  @Test
  void viewsThatOverlap() {
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable sum = Functions.add(y.slice(2, 0, 3), Functions.sigmoid(y.slice(2, 1, 4)));
          return Functions.add(sum, y.slice(2, 0, 3));
        },
        x -> {
          double[] y = tanh(x);
          return add(times(columns(y, 4, 0, 3), 2), map(columns(y, 4, 1, 3), Reference::sigmoid));
        });
  }

  @Test
  void someOfSeveralViewsAndTheWholeAgain() {
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable[] rows = y.unbind(1); // [2, 4] each, the second without a use
          Variable sum = Functions.add(rows[0], Functions.gelu(rows[2]));
          Variable[] halves = y.split(2, 2, 2);
          Variable others = Functions.concat(2, halves[1], halves[1]);
          return Functions.add(sum, Functions.add(others.unbind(1)[1], sum));
        },
        x -> {
          double[] y = tanh(x);
          double[] out = new double[8];
          for (int b = 0; b < 2; b++) {
            for (int d = 0; d < 4; d++) {
              double sum = y[b * 12 + d] + Reference.gelu(y[b * 12 + 8 + d]);
              out[b * 4 + d] = 2 * sum + y[b * 12 + 4 + 2 + d % 2];
            }
          }
          return out;
        });
  }

  @Test
  void viewsOfViews() {
    check(
        x -> {
          Variable y = Functions.tanh(x).reshape(6, 2, 2);
          Variable[] parts = y.unbind(1);
          Variable part = parts[1].reshape(2, 3, 2);
          return Functions.add(part.slice(1, 0, 2), Functions.sigmoid(part.slice(1, 1, 3)));
        },
        x -> {
          double[] part = columns(tanh(x), 4, 2, 2);
          return add(columns(part, 6, 0, 4), map(columns(part, 6, 2, 4), Reference::sigmoid));
        });
  }

  @Test
  void concatenatedWithItself() {
    check(
        x -> {
          Variable y = Functions.tanh(x);
          Variable both = Functions.concat(1, y, y);
          return Functions.add(both, Functions.concat(1, Functions.gelu(y), x));
        },
        x -> {
          double[] y = tanh(x);
          double[] g = map(y, Reference::gelu);
          double[] out = new double[48];
          for (int i = 0; i < 24; i++) {
            int at = i / 12 * 24 + i % 12;
            out[at] = y[i] + g[i];
            out[at + 12] = y[i] + x[i];
          }
          return out;
        });
  }

  private static final class Pair extends Module {
    final Linear first = child("first", new Linear(4, 5));
    final Linear again = child("again", new Linear(first.weight()));
  }

  private static void checkPair(
      Function<Map<String, double[]>, double[]> exact,
      UnaryOperator<Variable> view,
      long... shape) {
    for (Device device : devices()) {
      var module = new GradientCheck.Inputs<>(new Pair()).with("x", shape);
      GradientCheck.check(
          device,
          module,
          tape -> {
            Variable x = view.apply(module.get(tape, "x"));
            return Functions.add(
                Functions.tanh(module.module.first.forward(x)), module.module.again.forward(x));
          },
          p -> {
            double[] x = exact.apply(p);
            double[] weight = p.get("module.first.weight");
            return add(
                tanh(linear(x, weight, p.get("module.first.bias"), 4, 5)),
                linear(x, weight, null, 4, 5));
          },
          TOLERANCE);
    }
  }

  /** A weight used twice, over views that have gaps between rows. */
  @Test
  void aSharedWeightOverViews() {
    checkPair(p -> p.get("x"), x -> x, 2, 3, 4);
    checkPair(p -> p.get("x"), x -> x, 4);
    checkPair(p -> columns(p.get("x"), 9, 3, 4), x -> x.slice(2, 3, 7), 2, 3, 9);
    checkPair(p -> columns(p.get("x"), 8, 4, 4), x -> x.split(1, 4, 4)[1], 3, 8);
    checkPair(p -> columns(p.get("x"), 12, 4, 4), x -> x.unbind(1)[1], 2, 3, 4);
    checkPair(p -> columns(p.get("x"), 12, 4, 4), x -> x.slice(0, 0, 2).unbind(1)[1], 2, 3, 4);
    // Of one row each, and one sequence.
    checkPair(p -> columns(p.get("x"), 12, 8, 4), x -> x.slice(1, 2, 3), 2, 3, 4);
    checkPair(p -> columns(p.get("x"), 12, 4, 8), x -> x.slice(1, 1, 3), 1, 3, 4);
  }

  /** Orders of dimensions that no strides of a matrix have. */
  @Test
  void aDenseCopyOfDimensionsInAnotherOrder() {
    for (Device device : devices()) {
      for (int[] order :
          new int[][] {{1, 0, 2, 3}, {0, 2, 1, 3}, {3, 2, 1, 0}, {0, 1, 3, 2}, {2, 3, 0, 1}}) {
        long[] shape = {2, 3, 4, 5};
        var module = GradientCheck.inputs().with("x", shape);
        GradientCheck.check(
            device,
            module,
            tape -> Functions.contiguous(module.get(tape, "x").permute(order)),
            p -> permuted(p.get("x"), shape, order),
            TOLERANCE);
      }
    }
  }

  @Test
  void aDenseCopyAcrossASizeOfOne() {
    check(
        x -> Functions.contiguous(x.reshape(2, 1, 3, 4).slice(2, 0, 2)), x -> columns(x, 12, 0, 8));
    check(
        x ->
            Functions.concat(
                1, x.reshape(2, 1, 3, 4).slice(2, 1, 3), x.reshape(2, 1, 3, 4).slice(2, 0, 2)),
        x -> {
          double[] out = new double[32];
          for (int b = 0; b < 2; b++) {
            System.arraycopy(x, b * 12 + 4, out, b * 16, 8);
            System.arraycopy(x, b * 12, out, b * 16 + 8, 8);
          }
          return out;
        });
  }

  @Test
  void nothingBehindSomething() {
    check(x -> Functions.concat(2, x, x.slice(2, 1, 1)), x -> x.clone());
    check(x -> Functions.concat(0, x.slice(0, 2, 2), Functions.tanh(x)), GradientFlowTest::tanh);
  }

  @Test
  void whatIsTurnedAndTurnedBack() {
    check(
        x -> Functions.tanh(Functions.contiguous(x.transpose(1, 2))).transpose(1, 2).slice(1, 1, 3),
        x -> columns(tanh(x), 12, 4, 8));
  }

  private static double[] permuted(double[] x, long[] shape, int[] order) {
    double[] y = new double[x.length];
    int[] strides = {60, 20, 5, 1};
    int n = 0;
    for (int a = 0; a < shape[order[0]]; a++) {
      for (int b = 0; b < shape[order[1]]; b++) {
        for (int c = 0; c < shape[order[2]]; c++) {
          for (int d = 0; d < shape[order[3]]; d++) {
            y[n++] =
                x[
                    a * strides[order[0]]
                        + b * strides[order[1]]
                        + c * strides[order[2]]
                        + d * strides[order[3]]];
          }
        }
      }
    }
    return y;
  }
}

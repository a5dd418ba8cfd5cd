package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Compares what a module computes, and the gradients of all its parameters, with the same computed
 * in float64 and differentiated by differences. What is to be differentiated by is a parameter:
 * inputs too.
 */
final class GradientCheck {
  /** Of float64: the error of a central difference is about the square of it. */
  private static final double STEP = 1e-5;

  private static final int MOST = 32; // elements of a parameter that are looked at

  private GradientCheck() {}

  /**
   * A module of inputs alone, beside the one under test.
   *
   * @param <M> that one
   */
  static final class Inputs<M extends Module> extends Module {
    final M module;
    private final Map<String, Parameter> inputs = new HashMap<>();

    Inputs(M module) {
      this.module = child("module", module);
    }

    Inputs<M> with(String name, long... shape) {
      inputs.put(name, parameter(name, Initializer.normal(1), shape));
      return this;
    }

    Variable get(Tape tape, String name) {
      return tape.parameter(inputs.get(name));
    }
  }

  /** A simulated GPU: its kernels are those of CUDA. */
  static Device simulated() {
    return Device.byName("sim:sm_80");
  }

  /** A module without parameters. */
  static final class Nothing extends Module {}

  static Inputs<Nothing> inputs() {
    return new Inputs<>(new Nothing());
  }

  /**
   * Checks.
   *
   * @param forward from the tape to a variable
   * @param reference the same in float64, from the values of parameters by their names
   */
  static void check(
      Module module,
      Function<Tape, Variable> forward,
      Function<Map<String, double[]>, double[]> reference,
      double tolerance) {
    check(Device.cpu(), module, forward, reference, tolerance);
  }

  static void check(
      Device device,
      Module module,
      Function<Tape, Variable> forward,
      Function<Map<String, double[]>, double[]> reference,
      double tolerance) {
    check(device, DType.FLOAT32, module, forward, reference, tolerance);
  }

  /** Of a module that computes in {@code dtype}, from values that are of that type. */
  static void check(
      Device device,
      DType dtype,
      Module module,
      Function<Tape, Variable> forward,
      Function<Map<String, double[]>, double[]> reference,
      double tolerance) {
    try (Parameters parameters = Parameters.of(module, device, dtype, 7);
        Tape tape = Tape.open(device, 5);
        Scope scope = Scope.open(device)) {
      perturb(parameters);
      tape.begin(1);
      Variable out = forward.apply(tape);
      Map<String, double[]> values = new HashMap<>();
      parameters.named().forEach((name, it) -> values.put(name, doubles(it.value())));
      double[] expected = reference.apply(values);
      assertClose("out", doubles(out.value()), expected, tolerance);
      double[] weights = new SplittableRandom(3).doubles(expected.length, -1, 1).toArray();
      Tensor seed = scope.copyOf(weights, out.dtype(), out.shape());
      double[] rounded = doubles(seed);
      // Twice: gradients add up, and what is bound is bound for good.
      tape.backward(out, seed);
      long held = tape.memoryHeld();
      tape.begin(1);
      Variable again = forward.apply(tape);
      assertTrue(again == out, "the second step records anew");
      tape.backward(again, seed);
      assertTrue(tape.memoryHeld() == held, "the second step allocates");
      parameters
          .named()
          .forEach((name, it) -> checkGradient(name, it, values, rounded, reference, tolerance));
    }
  }

  /** Off the constants that some begin with, which would hide much. */
  private static void perturb(Parameters parameters) {
    SplittableRandom random = new SplittableRandom(11);
    for (Parameter parameter : parameters.all()) {
      float[] values = parameter.value().toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] += (float) random.nextGaussian(0, 0.2);
      }
      parameter.value().copyFrom(values);
    }
    parameters.changed();
    for (Parameter parameter : parameters.all()) {
      if (parameter.computed().dtype() != DType.FLOAT32) {
        parameter.value().copyFrom(parameter.computed()); // what is read in either type is the same
      }
    }
  }

  private static void checkGradient(
      String name,
      Parameter parameter,
      Map<String, double[]> values,
      double[] weights,
      Function<Map<String, double[]>, double[]> reference,
      double tolerance) {
    double[] gradient = doubles(parameter.gradient());
    double[] value = values.get(name);
    double most = 1e-3;
    for (double g : gradient) {
      most = Math.max(most, Math.abs(g) / 2);
    }
    for (int i : looked(value.length)) {
      double before = value[i];
      value[i] = before + STEP;
      double up = dot(reference.apply(values), weights);
      value[i] = before - STEP;
      double down = dot(reference.apply(values), weights);
      value[i] = before;
      double expected = (up - down) / (2 * STEP);
      double error = Math.abs(gradient[i] / 2 - expected);
      int at = i;
      assertTrue(
          error <= tolerance * most,
          () -> "d%s[%d] is %g, expected %g".formatted(name, at, gradient[at] / 2, expected));
    }
  }

  /** All of few, of others some at random: a stride might see some columns of a matrix only. */
  private static int[] looked(int length) {
    return length <= MOST
        ? IntStream.range(0, length).toArray()
        : new SplittableRandom(length).ints(MOST, 0, length).toArray();
  }

  static void assertClose(String name, double[] found, double[] expected, double tolerance) {
    assertTrue(found.length == expected.length, name + " has " + found.length + " elements");
    double most = 1e-3;
    for (double e : expected) {
      most = Math.max(most, Math.abs(e));
    }
    for (int i = 0; i < found.length; i++) {
      int at = i;
      assertTrue(
          Math.abs(found[i] - expected[i]) <= tolerance * most,
          () -> "%s[%d] is %g, expected %g".formatted(name, at, found[at], expected[at]));
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  static double[] doubles(Tensor tensor) {
    float[] values = tensor.toFloatArray();
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }
}

package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.Scope;
import dev.fovea.nn.Functions;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Operands;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;
import dev.fovea.nn.train.Loss;
import dev.fovea.nn.train.Optimizer;
import dev.fovea.nn.train.Schedule;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Layers on an NVIDIA GPU: products by cuBLASLt, or what stands for it here, in the order of the
 * device's stream with kernels and copies.
 */
class CudaTrainingTest {
  private static final class Layers extends Module {
    final Linear first;
    final Linear second;

    Layers(int in, int hidden, boolean hasBias) {
      first = child("first", new Linear(in, hidden, hasBias));
      second = child("second", new Linear(hidden, in, hasBias));
    }

    /** Uses both twice, so that gradients add up. */
    Variable forward(Variable x) {
      Variable y = second.forward(Functions.tanh(first.forward(x)));
      return Functions.add(second.forward(Functions.silu(first.forward(y))), y);
    }
  }

  /** Out, and the gradients of all parameters. */
  private static List<float[]> run(
      Device device, DType dtype, int rows, int in, int hidden, boolean hasBias) {
    Layers layers = new Layers(in, hidden, hasBias);
    try (Parameters parameters = Parameters.of(layers, device, dtype, 3);
        Tape tape = Tape.open(device);
        Scope scope = Scope.open(device)) {
      Variable x = tape.input(dtype, rows, in);
      x.value().copyFrom(values(rows * in));
      Variable out = layers.forward(x);
      tape.backward(out, scope.allocate(dtype, out.shape()).copyFrom(values(rows * in)));
      List<float[]> all = new ArrayList<>(List.of(out.value().toFloatArray()));
      for (Parameter parameter : parameters.all()) {
        all.add(parameter.gradient().toFloatArray());
      }
      return all;
    }
  }

  private static float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (i * 7 % 16 - 8) / 8f;
    }
    return values;
  }

  @Test
  void productsAreThoseOfTheCpu() {
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      int rows = 1 + random.nextInt(9);
      int in = 1 + random.nextInt(20);
      int hidden = 1 + random.nextInt(20);
      boolean hasBias = random.nextBoolean();
      List<float[]> expected = run(Device.cpu(), DType.FLOAT32, rows, in, hidden, hasBias);
      check("seed " + seed, expected, DType.FLOAT32, rows, in, hidden, hasBias, 1e-5);
      check("seed " + seed, expected, DType.FLOAT16, rows, in, hidden, hasBias, 0.01);
      check("seed " + seed, expected, DType.BFLOAT16, rows, in, hidden, hasBias, 0.08);
    }
  }

  private static void check(
      String name,
      List<float[]> expected,
      DType dtype,
      int rows,
      int in,
      int hidden,
      boolean hasBias,
      double tolerance) {
    List<float[]> found = run(Samples.FIRST, dtype, rows, in, hidden, hasBias);
    for (int n = 0; n < found.size(); n++) {
      float most = 1;
      for (float each : expected.get(n)) {
        most = Math.max(most, Math.abs(each));
      }
      for (int i = 0; i < found.get(n).length; i++) {
        String what = "%s, %s, result %d [%d]".formatted(name, dtype, n, i);
        assertEquals(expected.get(n)[i], found.get(n)[i], tolerance * most, what);
      }
    }
  }

  @Test
  void aTransformerLearnsAsOnTheCpu() {
    double[] cpu = losses(Device.cpu());
    double[] cuda = losses(Samples.SECOND);
    for (int step = 0; step < cpu.length; step++) {
      // Adam divides what rounding left of small gradients by their size.
      assertEquals(cpu[step], cuda[step], 2e-4 * cpu[step], "step " + step);
    }
    assertTrue(cpu[cpu.length - 1] < 0.8 * cpu[0], "it learns nothing");
  }

  private static double[] losses(Device device) {
    TransformerEncoder encoder = new TransformerEncoder(TransformerConfig.of(8, 2).dropout(0.1), 1);
    double[] losses = new double[8];
    try (Parameters parameters = Parameters.of(encoder, device, 3);
        Optimizer optimizer =
            new Optimizer(parameters, OptimizerStep.adamw(0.9, 0.99, 1e-8), Schedule.constant(2e-2))
                .clip(1);
        Tape tape = Tape.open(device, 4)) {
      for (int step = 0; step < losses.length; step++) {
        tape.begin(step);
        Variable x = tape.input(DType.FLOAT32, 2, 5, 8);
        x.value().copyFrom(values(80));
        Loss loss = Loss.meanSquaredError(encoder.forward(x, Operands.none()), x);
        loss.backward();
        optimizer.step();
        losses[step] = loss.value();
      }
    }
    return losses;
  }

  @Test
  void whatCublasRefusesIsSaidAndNothingIsLeft() {
    run(Samples.FIRST, DType.FLOAT32, 2, 3, 4, true); // the handle stays
    long before = Stub.products();
    for (String function :
        List.of(
            "MatmulDescCreate",
            "MatmulDescSetAttribute",
            "MatrixLayoutCreate",
            "MatmulPreferenceCreate",
            "MatmulPreferenceSetAttribute",
            "MatmulAlgoGetHeuristic",
            "Matmul")) {
      Stub.fail("cublasLt" + function, 14);
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () -> run(Samples.FIRST, DType.FLOAT32, 2, 3, 4, true),
              function);
      assertTrue(e.getMessage().contains("cublasLt" + function + " gave status 14"), e.toString());
      assertEquals(before, Stub.products(), function);
    }
    run(Samples.FIRST, DType.FLOAT32, 2, 3, 4, true);
    assertEquals(before, Stub.products());
  }

  @Test
  void aTapeGoesOnBehindARefusal() {
    Linear linear = new Linear(3, 2);
    try (Parameters parameters = Parameters.of(linear, Samples.FIRST, 3);
        Tape tape = Tape.inference(Samples.FIRST)) {
      Variable x = tape.input(DType.FLOAT32, 2, 3);
      Stub.fail("cublasLtMatmul", 14);
      assertThrows(IllegalStateException.class, () -> linear.forward(x));
      tape.begin();
      Variable again = tape.input(DType.FLOAT32, 2, 3);
      again.value().copyFrom(values(6));
      float[] bias = {5, 6};
      linear.bias().value().copyFrom(bias);
      parameters.changed();
      float[] weight = linear.weight().value().toFloatArray();
      float[] out = linear.forward(again).value().toFloatArray();
      for (int i = 0; i < 4; i++) {
        double expected = bias[i % 2];
        for (int k = 0; k < 3; k++) {
          expected += (double) values(6)[i / 2 * 3 + k] * weight[i % 2 * 3 + k];
        }
        assertEquals(expected, out[i], 1e-6);
      }
    }
  }

  /** Products of cuBLASLt promise nothing about the bits of a row. */
  @Test
  void noTapeIsBatchInvariant() {
    assertThrows(IllegalArgumentException.class, () -> Tape.batchInvariant(Samples.FIRST, 1));
  }
}

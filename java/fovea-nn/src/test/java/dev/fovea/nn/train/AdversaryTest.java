package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Functions;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adversarial training, against the formulas in float64. */
class AdversaryTest {
  private static final int VOCABULARY = 6;
  private static final int WIDTH = 4;
  private static final int TOKENS = 5;
  private static final double EPSILON = 0.7;
  private static final double RATE = 0.1;

  /** A number for each token: {@code w e + b}. */
  private static final class Numbers extends Module {
    final Embedding embedding = child("embedding", new Embedding(VOCABULARY, WIDTH));
    final Linear out = child("out", new Linear(WIDTH, 1));
    final double dropout;
    final List<Integer> numbers = new ArrayList<>();
    int failing = -1; // which call

    Numbers(double dropout) {
      this.dropout = dropout;
    }

    static int[] ids(int number) {
      return new SplittableRandom(number).ints(TOKENS, 0, VOCABULARY).toArray();
    }

    static float[] wanted(int number) {
      float[] wanted = new float[TOKENS];
      for (int i = 0; i < TOKENS; i++) {
        wanted[i] = ((number + 3 * i) % 7 - 3) / 2f;
      }
      return wanted;
    }

    Loss loss(Tape tape, int number) {
      if (numbers.size() == failing) {
        throw new IllegalStateException("fails");
      }
      numbers.add(number);
      Variable in = tape.input(DType.INT32, 1, TOKENS);
      in.value().copyFrom(ids(number));
      Variable rows = Functions.dropout(embedding.forward(in), dropout);
      Variable target = tape.input(rows.dtype(), 1, TOKENS, 1);
      target.value().copyFrom(wanted(number));
      return Loss.meanSquaredError(out.forward(rows), target);
    }
  }

  /** Values, or the derivatives by them, in float64. */
  private record Reference(double[] table, double[] weight, double[] bias) {
    static Reference zeros() {
      return new Reference(new double[VOCABULARY * WIDTH], new double[WIDTH], new double[1]);
    }

    /** Adds the gradient of a batch's loss to {@code gradient}; the loss. */
    double differentiate(int number, Reference gradient) {
      int[] ids = Numbers.ids(number);
      float[] wanted = Numbers.wanted(number);
      double loss = 0;
      for (int i = 0; i < TOKENS; i++) {
        double error = bias[0] - wanted[i];
        for (int d = 0; d < WIDTH; d++) {
          error += weight[d] * table[ids[i] * WIDTH + d];
        }
        loss += error * error / TOKENS;
        double slope = 2 * error / TOKENS;
        gradient.bias[0] += slope;
        for (int d = 0; d < WIDTH; d++) {
          gradient.weight[d] += slope * table[ids[i] * WIDTH + d];
          gradient.table[ids[i] * WIDTH + d] += slope * weight[d];
        }
      }
      return loss;
    }

    /** {@code this + factor other}. */
    Reference plus(double factor, Reference other) {
      return new Reference(
          plus(table, factor, other.table),
          plus(weight, factor, other.weight),
          plus(bias, factor, other.bias));
    }

    private static double[] plus(double[] a, double factor, double[] b) {
      double[] sum = a.clone();
      Arrays.setAll(sum, i -> a[i] + factor * b[i]);
      return sum;
    }

    /** The table moved; all else is the same. */
    Reference moved(double[] along) {
      double norm = Math.sqrt(Arrays.stream(along).map(it -> it * it).sum());
      return new Reference(plus(table, EPSILON / norm, along), weight, bias);
    }
  }

  private static double[] doubles(Parameter parameter) {
    float[] values = parameter.value().toFloatArray();
    double[] doubles = new double[values.length];
    Arrays.setAll(doubles, i -> values[i]);
    return doubles;
  }

  private static Reference values(Numbers model) {
    return new Reference(
        doubles(model.embedding.table()), doubles(model.out.weight()), doubles(model.out.bias()));
  }

  private static void check(Device device, int accumulated, double scale) {
    check(device, DType.FLOAT32, accumulated, scale, 1e-5);
  }

  private static void check(
      Device device, DType dtype, int accumulated, double scale, double tolerance) {
    String line = device + " " + dtype + " " + accumulated + " " + scale;
    Numbers model = new Numbers(0);
    try (Parameters parameters = Parameters.of(model, device, dtype, 5);
        Tape tape = Tape.open(device);
        Optimizer optimizer =
            new Optimizer(parameters, OptimizerStep.sgd(0), Schedule.constant(RATE))) {
      Reference[] expected = {values(model)};
      Trainer.of(tape, optimizer, number -> model.loss(tape, number))
          .steps(3)
          .accumulate(accumulated)
          .lossScale(LossScale.fixed(scale))
          .adversarial(model.embedding.table(), EPSILON)
          .listener(
              (step, metrics) -> {
                double loss = 0;
                double adversarial = 0;
                Reference sum = Reference.zeros();
                for (int part = 0; part < accumulated; part++) {
                  int number = (step - 1) * accumulated + part;
                  Reference own = Reference.zeros();
                  loss += expected[0].differentiate(number, own) / accumulated;
                  Reference moved = expected[0].moved(own.table);
                  adversarial += moved.differentiate(number, own) / accumulated;
                  sum = sum.plus(1.0 / accumulated, own);
                }
                expected[0] = expected[0].plus(-RATE, sum);
                Reference found = values(model);
                assertEquals(loss, metrics.get("loss"), tolerance, line);
                assertEquals(adversarial, metrics.get("adversarialLoss"), tolerance, line);
                assertTrue(adversarial > loss, line);
                assertArrayEquals(expected[0].table, found.table, tolerance, line);
                assertArrayEquals(expected[0].weight, found.weight, tolerance, line);
                assertArrayEquals(expected[0].bias, found.bias, tolerance, line);
              })
          .run();
    }
  }

  @Test
  void gradientsOfBothPassesAddUp() {
    for (int accumulated : new int[] {1, 3}) {
      check(Device.cpu(), accumulated, 1);
      check(Device.cpu(), accumulated, 256);
    }
    check(Device.byName("sim:sm_80"), 2, 1);
  }

  /** The copy that the model reads moves too. */
  @Test
  void modelsThatComputeInTypesOf16Bits() {
    check(Device.cpu(), DType.FLOAT16, 2, 256, 0.01);
    check(Device.cpu(), DType.BFLOAT16, 2, 1, 0.05);
    check(Device.byName("sim:sm_80"), DType.BFLOAT16, 1, 1, 0.05);
  }

  private static Snapshot run(Numbers model, DType dtype, UnaryOperator<Trainer> how) {
    try (Parameters parameters = Parameters.of(model, Device.cpu(), dtype, 5);
        Tape tape = Tape.open(Device.cpu(), 3);
        Optimizer optimizer =
            new Optimizer(
                parameters, OptimizerStep.adamw(0.9, 0.99, 1e-8), Schedule.constant(0.01))) {
      Trainer trainer =
          Trainer.of(tape, optimizer, number -> model.loss(tape, number))
              .steps(6)
              .adversarial(model.embedding.table(), EPSILON);
      how.apply(trainer).run();
      return Snapshot.of(parameters);
    }
  }

  /**
   * Calls are pairs of passes: what fails in any of them leaves the parameters of the step before.
   */
  @Test
  void whatFailsRestoresTheTable() {
    for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16}) {
      List<Snapshot> after = new ArrayList<>();
      for (int steps = 1; steps <= 2; steps++) {
        int end = steps;
        after.add(run(new Numbers(0.1), dtype, it -> it.steps(end).accumulate(2)));
      }
      for (int call = 4; call < 8; call++) { // of the second step
        for (boolean isThrown : new boolean[] {false, true}) {
          Numbers model = new Numbers(0.1);
          model.failing = isThrown ? call : -1;
          int at = call;
          try (Parameters parameters = Parameters.of(model, Device.cpu(), dtype, 5);
              Tape tape = Tape.open(Device.cpu(), 3);
              Optimizer optimizer =
                  new Optimizer(
                      parameters, OptimizerStep.adamw(0.9, 0.99, 1e-8), Schedule.constant(0.01))) {
            Trainer trainer =
                Trainer.of(
                        tape,
                        optimizer,
                        number -> {
                          Loss loss = model.loss(tape, number);
                          return model.numbers.size() == at + 1
                              ? new Loss(Double.NaN, loss.output(), loss.gradient())
                              : loss;
                        })
                    .steps(2)
                    .accumulate(2)
                    .adversarial(model.embedding.table(), EPSILON);
            RuntimeException failure = assertThrows(RuntimeException.class, trainer::run);
            assertEquals(!isThrown, failure instanceof TrainingException, failure.toString());
            after.getFirst().assertSame(Snapshot.of(parameters));
            model.failing = -1;
            model.numbers.addAll(List.of(0, 0)); // no call is the failing one any more
            trainer.run(); // as if nothing had been
            after.getLast().assertSame(Snapshot.of(parameters));
          }
        }
      }
    }
  }

  /** A move that rounding undoes is none: both passes drop the same elements of the same batch. */
  @Test
  void bothPassesAreOfOneStep() {
    Numbers model = new Numbers(0.3);
    List<Map<String, Double>> seen = new ArrayList<>();
    run(
        model,
        DType.FLOAT32,
        trainer ->
            trainer
                .adversarial(model.embedding.table(), 1e-30)
                .listener((step, metrics) -> seen.add(metrics)));
    for (Map<String, Double> metrics : seen) {
      assertEquals(metrics.get("loss"), metrics.get("adversarialLoss"));
    }
    assertEquals(List.of(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5), model.numbers);
    assertNotEquals(seen.getFirst().get("loss"), seen.getLast().get("loss"));
  }

  /** Nothing to move along: the pass is made twice. */
  @Test
  void aGradientOfZeros() {
    Numbers model = new Numbers(0);
    run(
        model,
        DType.FLOAT32,
        trainer -> {
          model.out.weight().value().fill(0);
          return trainer
              .steps(1)
              .listener(
                  (step, metrics) ->
                      assertEquals(metrics.get("loss"), metrics.get("adversarialLoss")));
        });
  }

  @Test
  void goesOnToTheSameBits(@TempDir Path folder) {
    UnaryOperator<Trainer> scaled = it -> it.lossScale(LossScale.dynamic(0x1p22, 2));
    Snapshot whole = run(new Numbers(0.2), DType.FLOAT16, scaled);
    Path file = folder.resolve("run.safetensors");
    Snapshot last = null;
    for (int end : new int[] {2, 3, 6}) {
      last =
          run(
              new Numbers(0.2),
              DType.FLOAT16,
              it -> scaled.apply(it.steps(end).checkpoints(file, 5)));
    }
    whole.assertSame(last);
  }

  @Test
  void refusesWhatCannotBeMoved() {
    Numbers model = new Numbers(0);
    Numbers other = new Numbers(0);
    run(
        model,
        DType.FLOAT32,
        trainer -> {
          for (double epsilon : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThrows(
                IllegalArgumentException.class,
                () -> trainer.adversarial(model.embedding.table(), epsilon));
          }
          assertThrows(
              IllegalArgumentException.class,
              () -> trainer.adversarial(other.embedding.table(), 1));
          assertSame(trainer, trainer.adversarial(model.embedding.table(), 1));
          return trainer;
        });
  }
}

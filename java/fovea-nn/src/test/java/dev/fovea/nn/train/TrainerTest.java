package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.MultiHeadAttention;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
  private static final int STEPS = 30;

  /** Learns, for every row, the mean of all rows. */
  private static final class Means extends Module {
    final MultiHeadAttention attention =
        child("attention", MultiHeadAttention.self(8, 2, Attention.builder().dropout(0.1).build()));
    final Linear out = child("out", new Linear(8, 8));

    Loss loss(Tape tape, int number) {
      SplittableRandom random = new SplittableRandom(number);
      float[] rows = new float[2 * 5 * 8];
      float[] means = new float[rows.length];
      for (int i = 0; i < rows.length; i++) {
        rows[i] = (float) random.nextGaussian();
      }
      for (int i = 0; i < rows.length; i++) {
        for (int s = 0; s < 5; s++) {
          means[i] += rows[i / 40 * 40 + s * 8 + i % 8] / 5;
        }
      }
      Variable x = tape.input(DType.FLOAT32, 2, 5, 8);
      Variable target = tape.input(DType.FLOAT32, 2, 5, 8);
      x.value().copyFrom(rows);
      target.value().copyFrom(means);
      return Loss.meanSquaredError(out.forward(attention.forward(x)), target);
    }
  }

  /** A run of {@code trainer}, and all values then. */
  private static List<float[]> values(java.util.function.BiFunction<Trainer, Means, Trainer> how) {
    Means model = new Means();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu(), 2);
        Optimizer optimizer = optimizer(parameters)) {
      Trainer trainer =
          Trainer.of(tape, optimizer, number -> model.loss(tape, number)).steps(STEPS);
      how.apply(trainer, model).run();
      List<float[]> values = new ArrayList<>();
      for (Parameter each : parameters.all()) {
        values.add(each.value().toFloatArray());
      }
      return values;
    }
  }

  private static Optimizer optimizer(Parameters parameters) {
    return new Optimizer(
            parameters,
            OptimizerStep.adamw(0.9, 0.99, 1e-8).weightDecay(0.01),
            Schedule.cosine(0.02, 0.001, STEPS).warmUp(5))
        .clip(1);
  }

  private static void assertSame(List<float[]> expected, List<float[]> found) {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), found.get(i));
    }
  }

  @Test
  void learns(@TempDir Path folder) throws IOException {
    Path lines = folder.resolve("run.jsonl");
    List<Double> losses = new ArrayList<>();
    values(
        (trainer, model) ->
            trainer
                .steps(300)
                .metrics(lines)
                .events(folder.resolve("events"))
                .listener((step, metrics) -> losses.add(metrics.get("loss"))));
    assertTrue(
        losses.getLast() < losses.getFirst() / 5, losses.getFirst() + " " + losses.getLast());
    assertEquals(300, Files.readAllLines(lines).size());
    assertTrue(Files.readAllLines(lines).getFirst().startsWith("{\"step\":1,\"loss\":"));
    try (var events = Files.list(folder.resolve("events"))) {
      assertEquals(1, events.count());
    }
  }

  @Test
  void goesOnToTheSameBits(@TempDir Path folder) {
    List<float[]> whole = values((trainer, model) -> trainer);
    Path file = folder.resolve("run.safetensors");
    for (int end = 3; end <= STEPS; end += 9) {
      int steps = end;
      values((trainer, model) -> trainer.steps(steps).checkpoints(file, 2));
    }
    assertSame(whole, values((trainer, model) -> trainer.checkpoints(file, 7)));
  }

  @Test
  void aLossThatIsNoNumberChangesNothing(@TempDir Path folder) {
    Path file = folder.resolve("run.safetensors");
    List<float[]> before = values((trainer, model) -> trainer.steps(4));
    TrainingException failure =
        assertThrows(
            TrainingException.class,
            () ->
                values(
                    (trainer, model) ->
                        trainer
                            .checkpoints(file, 1)
                            .listener(
                                (step, metrics) -> {
                                  if (step == 4) {
                                    model.out.bias().value().setFloat(Float.NaN, 0);
                                  }
                                })));
    assertEquals(5, failure.step());
    assertTrue(failure.getMessage().contains("the loss of step 5 is NaN"), failure.getMessage());
    assertEquals(4, before.size() - 2);
  }

  @Test
  void endsEarlyWhereNothingGetsBetter() {
    List<Integer> steps = new ArrayList<>();
    values(
        (trainer, model) ->
            trainer.evaluate(() -> 1, 3, 2).listener((step, metrics) -> steps.add(step)));
    assertEquals(9, steps.getLast()); // the first evaluation is the best
  }

  @Test
  void severalBatchesAreOneStep() {
    List<Double> norms = new ArrayList<>();
    values(
        (trainer, model) ->
            trainer
                .steps(2)
                .accumulate(3)
                .listener((step, metrics) -> norms.add(metrics.get("gradientNorm"))));
    List<Double> single = new ArrayList<>();
    values(
        (trainer, model) ->
            trainer.steps(1).listener((step, metrics) -> single.add(metrics.get("gradientNorm"))));
    assertEquals(2, norms.size());
    assertTrue(norms.getFirst() < 1.5 * single.getFirst());
  }

  @Test
  void aDamagedCheckpointIsRefused(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("run.safetensors");
    values((trainer, model) -> trainer.steps(2).checkpoints(file, 1));
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 5] ^= 1;
    Files.write(file, bytes);
    UncheckedIOException failure =
        assertThrows(
            UncheckedIOException.class,
            () -> values((trainer, model) -> trainer.checkpoints(file, 1)));
    assertTrue(failure.getMessage().contains("is damaged"), failure.getMessage());
    assertArrayEquals(bytes, Files.readAllBytes(file));
  }
}

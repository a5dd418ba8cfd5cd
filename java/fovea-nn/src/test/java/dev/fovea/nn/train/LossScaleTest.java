package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LossScaleTest {
  private static final double HUGE = 0x1p24;

  /** Learns twice its input. */
  private static final class Twice extends Module {
    final Linear in = child("in", new Linear(5, 9));
    final Linear out = child("out", new Linear(9, 5));
    final List<Integer> numbers = new ArrayList<>();

    Loss loss(Tape tape, int number) {
      numbers.add(number);
      float[] rows = new float[3 * 5];
      SplittableRandom random = new SplittableRandom(number);
      for (int i = 0; i < rows.length; i++) {
        rows[i] = random.nextInt(-8, 9) / 8f;
      }
      Variable x = tape.input(DType.FLOAT16, 3, 5);
      Variable target = tape.input(DType.FLOAT16, 3, 5);
      x.value().copyFrom(rows);
      for (int i = 0; i < rows.length; i++) {
        rows[i] *= 2;
      }
      target.value().copyFrom(rows);
      return Loss.meanSquaredError(out.forward(in.forward(x)), target);
    }
  }

  /** A run of ten steps; all values then. */
  private static Snapshot run(Twice model, UnaryOperator<Trainer> how) {
    try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.FLOAT16, 1);
        Tape tape = Tape.open(Device.cpu());
        Optimizer optimizer =
            new Optimizer(parameters, OptimizerStep.sgd(0.9), Schedule.constant(0.05))) {
      how.apply(Trainer.of(tape, optimizer, number -> model.loss(tape, number)).steps(10)).run();
      return Snapshot.of(parameters);
    }
  }

  @Test
  void isDoubledAndHalved() {
    LossScale scale = LossScale.dynamic(4, 3);
    double[] expected = {4, 4, 8, 8, 8, 16};
    for (double each : expected) {
      scale.passed();
      assertEquals(each, scale.value());
    }
    scale.passed();
    assertTrue(scale.failed());
    assertEquals(8, scale.value());
    scale.passed();
    scale.passed();
    assertEquals(8, scale.value(), "good steps before a bad one count");
    LossScale most = LossScale.dynamic(HUGE, 1);
    most.passed();
    assertEquals(HUGE, most.value());
    LossScale one = LossScale.dynamic(1, 1);
    assertTrue(!one.failed());
    LossScale fixed = LossScale.fixed(64);
    for (int i = 0; i < 3000; i++) {
      fixed.passed();
    }
    assertTrue(!fixed.failed());
    assertEquals(64, fixed.value());
  }

  @Test
  void refusesNumbersThatMakeNoSense() {
    for (double value : new double[] {0, -1, Double.NaN, 2 * HUGE}) {
      assertThrows(IllegalArgumentException.class, () -> LossScale.fixed(value));
      assertThrows(IllegalArgumentException.class, () -> LossScale.dynamic(value, 1));
    }
    assertThrows(IllegalArgumentException.class, () -> LossScale.dynamic(1, 0));
  }

  @Test
  void aLossStaysWhatItIsWhenItIsScaled() {
    Twice model = new Twice();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.FLOAT16, 1);
        Tape tape = Tape.open(Device.cpu())) {
      Loss loss = model.loss(tape, 1);
      loss.backward();
      double norm = parameters.gradientNorm();
      loss.backward(8);
      assertEquals(9 * norm, parameters.gradientNorm(), 0.01 * norm);
      loss.backward(8);
      loss.backward();
      assertEquals(18 * norm, parameters.gradientNorm(), 0.02 * norm);
    }
  }

  /** Of powers of two nothing is rounded, as long as nothing overflows or becomes too small. */
  @Test
  void changesNoBitsWhereItIsNotNeeded() {
    Snapshot plain = run(new Twice(), trainer -> trainer);
    plain.assertSame(run(new Twice(), trainer -> trainer.lossScale(LossScale.fixed(8))));
  }

  @Test
  void aStepIsTakenAgainWithTheSameBatches() {
    Twice model = new Twice();
    List<Double> scales = new ArrayList<>();
    run(
        model,
        trainer ->
            trainer
                .accumulate(2)
                .lossScale(LossScale.dynamic(HUGE, 4))
                .listener((step, metrics) -> scales.add(metrics.get("lossScale"))));
    assertTrue(scales.getFirst() < HUGE, "nothing overflowed");
    int again = (int) Math.round(Math.log(HUGE / scales.getFirst()) / Math.log(2));
    for (int i = 0; i < 2 * again; i++) {
      assertEquals(i % 2, model.numbers.get(i), "of step 1, " + i);
    }
    assertEquals(10, scales.size());
    assertEquals(19, model.numbers.getLast());
    assertEquals(scales.get(3), scales.getFirst());
    assertTrue(scales.get(4) >= scales.get(3), "it is not doubled");
  }

  @Test
  void goesOnToTheSameBits(@TempDir Path folder) {
    List<Double> expected = new ArrayList<>();
    Snapshot whole =
        run(
            new Twice(),
            trainer ->
                trainer
                    .lossScale(LossScale.dynamic(HUGE, 4))
                    .listener((step, metrics) -> expected.add(metrics.get("lossScale"))));
    Path file = folder.resolve("run.safetensors");
    List<Double> found = new ArrayList<>();
    Snapshot last = null;
    for (int end : new int[] {3, 5, 10}) {
      last =
          run(
              new Twice(),
              trainer ->
                  trainer
                      .steps(end)
                      .checkpoints(file, 7)
                      .lossScale(LossScale.dynamic(HUGE, 4))
                      .listener((step, metrics) -> found.add(metrics.get("lossScale"))));
    }
    whole.assertSame(last);
    assertEquals(expected, found);
  }

  /** What no scale helps with ends the run, and changes nothing. */
  @Test
  void aGradientThatIsNoNumber() {
    for (LossScale scale : List.of(LossScale.fixed(1024), LossScale.dynamic(1024, 10))) {
      Twice model = new Twice();
      try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.FLOAT16, 1);
          Tape tape = Tape.open(Device.cpu());
          Optimizer optimizer =
              new Optimizer(parameters, OptimizerStep.sgd(0.9), Schedule.constant(0.05))) {
        Snapshot before = Snapshot.of(parameters);
        Trainer trainer =
            Trainer.of(
                    tape,
                    optimizer,
                    number -> {
                      Loss loss = model.loss(tape, number);
                      loss.gradient().setFloat(Float.POSITIVE_INFINITY, 0, 0);
                      return loss;
                    })
                .lossScale(scale);
        TrainingException failure = assertThrows(TrainingException.class, trainer::run);
        assertEquals(1, failure.step());
        before.assertSame(Snapshot.of(parameters));
      }
    }
  }

  /** Gradients of some batches of a step are not those of the next run. */
  @Test
  void whatFailsLeavesNoGradients() {
    Twice model = new Twice();
    try (Parameters parameters = Parameters.of(model, Device.cpu(), DType.FLOAT16, 1);
        Tape tape = Tape.open(Device.cpu());
        Optimizer optimizer =
            new Optimizer(parameters, OptimizerStep.sgd(0.9), Schedule.constant(0.05))) {
      Snapshot before = Snapshot.of(parameters);
      Trainer trainer =
          Trainer.of(
                  tape,
                  optimizer,
                  number -> {
                    if (number == 2) {
                      throw new IllegalStateException("no batch 2");
                    }
                    return model.loss(tape, number);
                  })
              .accumulate(3);
      assertThrows(IllegalStateException.class, trainer::run);
      before.assertSame(Snapshot.of(parameters));
    }
  }
}

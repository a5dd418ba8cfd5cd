package dev.fovea.cli.generate;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerLm;
import dev.fovea.nn.Variable;
import dev.fovea.nn.train.Loss;
import dev.fovea.nn.train.Optimizer;
import dev.fovea.nn.train.Schedule;
import dev.fovea.nn.train.Trainer;
import java.util.SplittableRandom;

/** Trains a {@link TextModel} on a text. The same seed gives the same model on one machine. */
final class TextTraining implements AutoCloseable {
  /** Bytes of a part of the text. */
  static final int LENGTH = 256;

  /** Parts of a step. */
  static final int BATCH = 16;

  private static final double RATE = 4e-3; // the highest learning rate
  private static final double LAST_RATE = 0.02; // of it
  private static final double WARM_UP = 0.05; // of the steps, until it is reached

  private final byte[] text;
  private final TransformerLm model;
  private final int batch;
  private final long seed;
  private final Optimizer optimizer;
  private final Tape tape;

  /**
   * Of a model with first values.
   *
   * @param text of more than {@link #LENGTH} bytes
   * @param batch parts of the text in a step
   * @param steps to be made: the learning rate falls towards the last
   */
  TextTraining(
      byte[] text, TransformerLm model, Parameters parameters, int batch, int steps, long seed) {
    this.text = text;
    this.model = model;
    this.batch = batch;
    this.seed = seed;
    Schedule schedule =
        Schedule.cosine(RATE, LAST_RATE * RATE, steps).warmUp((int) Math.ceil(WARM_UP * steps));
    optimizer = new Optimizer(parameters, OptimizerStep.adamw(0.9, 0.98, 1e-9), schedule).clip(1);
    tape = Tape.open(Device.cpu(), seed);
  }

  /** Trains for all its steps; returns their losses. */
  double[] run(int steps, Trainer.Listener listener) {
    model.train(true);
    double[] losses = Trainer.of(tape, optimizer, this::loss).steps(steps).listener(listener).run();
    model.train(false);
    return losses;
  }

  /** The loss of the next byte, over parts of the text that begin anywhere. */
  private Loss loss(int step) {
    int[] here = new int[batch * LENGTH];
    int[] next = new int[batch * LENGTH];
    SplittableRandom random = new SplittableRandom(seed * 1_000_003 + step);
    for (int part = 0; part < batch; part++) {
      int from = random.nextInt(text.length - LENGTH);
      for (int i = 0; i < LENGTH; i++) {
        here[part * LENGTH + i] = Byte.toUnsignedInt(text[from + i]);
        next[part * LENGTH + i] = Byte.toUnsignedInt(text[from + i + 1]);
      }
    }
    Variable tokens = tape.input(DType.INT32, batch, LENGTH);
    Variable targets = tape.input(DType.INT32, batch, LENGTH);
    tokens.value().copyFrom(here);
    targets.value().copyFrom(next);
    return Loss.crossEntropy(model.forward(tokens), targets);
  }

  @Override
  public void close() {
    tape.close();
    optimizer.close();
  }
}

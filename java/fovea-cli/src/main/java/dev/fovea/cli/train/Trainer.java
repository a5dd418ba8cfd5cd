package dev.fovea.cli.train;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import dev.fovea.nn.train.Loss;
import dev.fovea.nn.train.Optimizer;
import dev.fovea.nn.train.Schedule;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Trains a {@link Transformer} to sort. The same seed gives the same losses on one machine. */
final class Trainer implements AutoCloseable {
  private static final double RATE = 4e-3; // the highest learning rate
  private static final double LAST_RATE = 0.05; // of it
  private static final int WARM_UP = 50; // steps until it is reached

  /** Mean loss of tokens, and the share of tokens that are right. */
  record Score(double loss, double accuracy) {}

  private final Transformer.Sizes sizes;
  private final int batch;
  private final SplittableRandom random;
  private final SortingTask task;
  private final Transformer model;
  private final Parameters parameters;
  private final Optimizer optimizer;
  private final Tape tape;
  private final int[] best; // the word with the highest score, of each token of the last batch

  /**
   * A model that has learnt nothing yet.
   *
   * @param batch sequences of a step
   * @param steps to be made: the learning rate falls towards the last
   */
  Trainer(Device device, Transformer.Sizes sizes, int batch, int steps, long seed) {
    this.sizes = sizes;
    this.batch = batch;
    random = new SplittableRandom(seed);
    task = new SortingTask(sizes.vocabulary(), sizes.length(), batch);
    best = new int[batch * sizes.length()];
    model = new Transformer(sizes);
    Schedule schedule = Schedule.cosine(RATE, LAST_RATE * RATE, steps).warmUp(WARM_UP);
    parameters = Parameters.of(model, device, seed);
    try {
      optimizer = new Optimizer(parameters, OptimizerStep.adamw(0.9, 0.999, 1e-8), schedule);
    } catch (Throwable t) {
      parameters.close();
      throw t;
    }
    tape = Tape.open(device);
  }

  /** One step on a batch of its own; the score is that before the parameters change. */
  Score step() {
    task.draw(random);
    Loss loss = loss();
    loss.backward();
    optimizer.step();
    return score(loss);
  }

  /** The score over fresh batches. */
  Score evaluate(int batches) {
    double losses = 0;
    double accuracy = 0;
    for (int i = 0; i < batches; i++) {
      task.draw(random);
      Score score = score(loss());
      losses += score.loss();
      accuracy += score.accuracy();
    }
    return new Score(losses / batches, accuracy / batches);
  }

  /** The first sequence of the last batch. */
  int[] sequence() {
    return Arrays.copyOf(task.tokens(), sizes.length());
  }

  /** What the model makes of {@link #sequence}. */
  int[] answer() {
    return Arrays.copyOf(best, sizes.length());
  }

  /** Numbers that training changes. */
  long parameters() {
    return parameters.all().stream().mapToLong(Parameter::elements).sum();
  }

  private Loss loss() {
    tape.begin();
    Variable tokens = tape.input(DType.INT32, batch, sizes.length());
    Variable sorted = tape.input(DType.INT32, batch, sizes.length());
    tokens.value().copyFrom(task.tokens());
    sorted.value().copyFrom(task.sorted());
    Variable scores = model.forward(tokens);
    rank(scores.value().toFloatArray());
    return Loss.crossEntropy(scores, sorted);
  }

  private void rank(float[] scores) {
    int words = sizes.vocabulary();
    for (int token = 0; token < best.length; token++) {
      int most = 0;
      for (int word = 1; word < words; word++) {
        most = scores[token * words + word] > scores[token * words + most] ? word : most;
      }
      best[token] = most;
    }
  }

  private Score score(Loss loss) {
    int right = 0;
    for (int i = 0; i < best.length; i++) {
      right += best[i] == task.sorted()[i] ? 1 : 0;
    }
    return new Score(loss.value(), right / (double) best.length);
  }

  @Override
  public void close() {
    tape.close();
    optimizer.close();
    parameters.close();
  }
}

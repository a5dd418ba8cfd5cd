package dev.fovea.cli.train;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Trains a {@link Transformer} to sort. The same seed gives the same losses on one machine. */
final class Trainer implements AutoCloseable {
  private static final double RATE = 4e-3; // the highest learning rate
  private static final double LAST_RATE = 0.05; // of it
  private static final double WARM_UP = 50; // steps until it is reached

  /** Mean loss of tokens, and the share of tokens that are right. */
  record Score(double loss, double accuracy) {}

  private final int length;
  private final int steps;
  private final SplittableRandom random;
  private final Workspace workspace;
  private final Transformer model;
  private final CrossEntropy loss;
  private final SortingTask task;
  private final Adam adam;
  private int done;

  /**
   * A model that has learnt nothing yet.
   *
   * @param batch sequences of a step
   * @param steps to be made: the learning rate falls towards the last
   */
  Trainer(Transformer.Sizes sizes, int batch, int steps, long seed) {
    this.length = sizes.length();
    this.steps = steps;
    random = new SplittableRandom(seed);
    workspace = new Workspace(batch * sizes.length(), random.split());
    model = new Transformer(workspace, sizes, batch);
    loss = new CrossEntropy(workspace, sizes.vocabulary());
    task = new SortingTask(sizes.vocabulary(), sizes.length(), batch);
    adam = new Adam(workspace.parameters());
  }

  /** One step on a batch of its own; the score is that before the parameters change. */
  Score step() {
    task.draw(random);
    Score score = score();
    model.backward(loss.gradient());
    adam.step(rate(++done));
    return score;
  }

  /** The score over fresh batches. */
  Score evaluate(int batches) {
    double losses = 0;
    double accuracy = 0;
    for (int i = 0; i < batches; i++) {
      task.draw(random);
      Score score = score();
      losses += score.loss();
      accuracy += score.accuracy();
    }
    return new Score(losses / batches, accuracy / batches);
  }

  /** The first sequence of the last batch. */
  int[] sequence() {
    return Arrays.copyOf(task.tokens(), length);
  }

  /** What the model makes of {@link #sequence}. */
  int[] answer() {
    return Arrays.copyOf(loss.best(), length);
  }

  /** Numbers that training changes. */
  int parameters() {
    return workspace.parameters().stream()
        .map(Parameter::value)
        .mapToInt(values -> values.rows() * values.columns())
        .sum();
  }

  private Score score() {
    int[] expected = task.sorted();
    double mean = loss.forward(model.forward(task.tokens()), expected);
    int right = 0;
    for (int i = 0; i < expected.length; i++) {
      right += loss.best()[i] == expected[i] ? 1 : 0;
    }
    return new Score(mean, right / (double) expected.length);
  }

  /** Rises for some steps, and falls as a half-wave of a cosine. */
  private double rate(int step) {
    double fall = 0.5 * (1 + Math.cos(Math.PI * step / steps));
    return RATE * Math.min(1, step / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * fall);
  }

  @Override
  public void close() {
    workspace.close();
  }
}

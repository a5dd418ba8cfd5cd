package dev.fovea.cli.translate;

import dev.fovea.Device;
import dev.fovea.OptimizerStep;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import dev.fovea.nn.train.Loss;
import dev.fovea.nn.train.Optimizer;
import dev.fovea.nn.train.Schedule;
import dev.fovea.nn.train.Trainer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Trains a {@link Transcriber} on a {@link Corpus}; a checkpoint is gone on from. */
final class Training implements AutoCloseable {
  static final int BATCH = 64;
  private static final double RATE = 3e-3; // the highest learning rate
  private static final double LAST_RATE = 0.02; // of it
  private static final int WARM_UP = 100; // steps until it is reached
  private static final int CHECKPOINT = 300; // steps
  private static final int IGNORED = -1; // targets of what is filled up

  private final Corpus corpus;
  private final Transcriber model;
  private final Parameters parameters;
  private final Optimizer optimizer;
  private final Tape tape;

  /**
   * A model that has learnt nothing yet.
   *
   * @param steps to be made: the learning rate falls towards the last
   */
  Training(Transcriber model, Corpus corpus, Device device, int steps, long seed) {
    this.corpus = corpus;
    this.model = model;
    Schedule schedule = Schedule.cosine(RATE, LAST_RATE * RATE, steps).warmUp(WARM_UP);
    parameters = Parameters.of(model, device, seed);
    try {
      optimizer = new Optimizer(parameters, OptimizerStep.adamw(0.9, 0.98, 1e-9), schedule).clip(1);
    } catch (Throwable t) {
      parameters.close();
      throw t;
    }
    tape = Tape.open(device, seed);
  }

  /** Numbers that training changes. */
  long parameters() {
    return parameters.count();
  }

  /**
   * Trains.
   *
   * @param steps in all, those before a checkpoint counted
   * @param checkpoint a file to go on from and to write to; null for none
   * @return the losses of the steps that were taken now
   */
  double[] run(int steps, Path checkpoint, Trainer.Listener listener) {
    model.train(true);
    Trainer trainer =
        Trainer.of(tape, optimizer, number -> loss(corpus.batch(number)))
            .steps(steps)
            .listener(listener);
    if (checkpoint != null) {
      trainer.checkpoints(checkpoint, CHECKPOINT);
    }
    double[] losses = trainer.run();
    model.train(false);
    return losses;
  }

  private Loss loss(List<Corpus.Example> batch) {
    Padded letters = Padded.of(map(batch, Corpus.Example::letters), Alphabet.PADDING);
    Padded said = Padded.of(map(batch, it -> behind(Alphabet.BEGIN, it)), Alphabet.PADDING);
    Padded next = Padded.of(map(batch, it -> before(it, Alphabet.END)), IGNORED);
    Variable lengths = letters.lengthsOn(tape);
    Variable memory = model.read(letters.on(tape), lengths);
    return Loss.crossEntropy(model.say(said.on(tape), memory, lengths), next.on(tape));
  }

  private static List<int[]> map(
      List<Corpus.Example> batch, Function<Corpus.Example, int[]> sequence) {
    return batch.stream().map(sequence).toList();
  }

  private static int[] behind(int first, Corpus.Example it) {
    int[] all = new int[it.phonemes().length + 1];
    all[0] = first;
    System.arraycopy(it.phonemes(), 0, all, 1, it.phonemes().length);
    return all;
  }

  private static int[] before(Corpus.Example it, int last) {
    int[] all = Arrays.copyOf(it.phonemes(), it.phonemes().length + 1);
    all[it.phonemes().length] = last;
    return all;
  }

  @Override
  public void close() {
    tape.close();
    optimizer.close();
    parameters.close();
  }
}

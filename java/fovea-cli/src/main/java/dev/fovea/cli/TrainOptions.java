package dev.fovea.cli;

import dev.fovea.cli.train.TrainDemo;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What {@code demo} trains. */
final class TrainOptions {

  @Option(
      names = "--train",
      description =
          "Train a Transformer of two attention layers to sort 32 tokens instead: forward and"
              + " backward pass by Fovea. Takes less than a minute; the exit code is 1 if it does"
              + " not come over 99 %% of the tokens.")
  private boolean train;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Steps of training; default " + TrainDemo.STEPS + ".")
  private int steps = TrainDemo.STEPS;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of parameters and data; default 1.")
  private long seed = 1;

  @Option(
      names = "--plot",
      paramLabel = "FILE.png",
      description = "Where to draw the loss curve; default " + TrainDemo.PLOT + " in this folder.")
  private Path plot; // null: the default

  /**
   * What to do.
   *
   * @throws IllegalArgumentException if they do not go together
   */
  TrainDemo.Settings settings() {
    if (!train) {
      throw new IllegalArgumentException("--steps, --seed and --plot need --train");
    }
    CliCommand.between("--steps", steps, 1, TrainDemo.MOST_STEPS);
    return new TrainDemo.Settings(steps, seed, plot);
  }
}

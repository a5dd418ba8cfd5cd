package dev.fovea.cli;

import dev.fovea.cli.files.DemoPicture;
import dev.fovea.cli.generate.GenerateDemo;
import dev.fovea.cli.train.TrainDemo;
import dev.fovea.cli.translate.TranslateDemo;
import java.nio.file.Path;
import java.util.List;
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
      names = "--translate",
      description =
          "Train a Transformer with encoder and decoder to pronounce English words instead, from"
              + " letters to phonemes, and let it say words it has not seen, or QUESTIONs. Takes"
              + " less than five minutes; the exit code is 1 if it does not come under "
              + TranslateDemo.ENOUGH
              + " %% wrong phonemes.")
  private boolean translate;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description =
          "Steps of training; default "
              + TrainDemo.STEPS
              + ", with --translate "
              + TranslateDemo.STEPS
              + ", with --generate --text "
              + GenerateDemo.STEPS
              + ".")
  private Integer steps; // null: the default

  @Option(
      names = "--dictionary",
      paramLabel = "FILE",
      description =
          "With --translate: the CMU Pronouncing Dictionary, or one like it; default: that of npm's"
              + " "
              + TranslateDemo.PACKAGE
              + ".")
  private Path dictionary; // null: the default

  @Option(
      names = "--checkpoint",
      paramLabel = "FILE",
      description =
          "With --translate: a safetensors file to go on from, if it is there, and to write to."
              + " With --generate: one with a model to read, or with --text to write.")
  private Path checkpoint; // null: none

  @Option(
      names = "--alignment",
      paramLabel = "FILE.png",
      description =
          "With --translate: where to draw which letters each phoneme came from; default "
              + TranslateDemo.ALIGNMENT
              + " in this folder.")
  private Path alignment; // null: the default

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of parameters and data; default 1.")
  private long seed = 1;

  @Option(
      names = "--plot",
      paramLabel = "FILE.png",
      description =
          "Where to draw the loss curve; default " + DemoPicture.LOSSES + " in this folder.")
  private Path plot; // null: the default

  /** True for {@code --translate}. */
  boolean isTranslation() {
    return translate;
  }

  /**
   * What to train.
   *
   * @throws IllegalArgumentException if they do not go together
   */
  TrainDemo.Settings settings() {
    if (!train) {
      throw new IllegalArgumentException(
          "--steps, --seed and --plot need --train, --translate or --generate, the other options"
              + " --translate or --generate");
    }
    if (dictionary != null || checkpoint != null || alignment != null) {
      throw new IllegalArgumentException(
          "--dictionary, --checkpoint and --alignment need --translate");
    }
    return new TrainDemo.Settings(steps(TrainDemo.STEPS), seed, plot);
  }

  /**
   * What to translate.
   *
   * @param words to be said; none: the demo's own
   * @throws IllegalArgumentException if they do not go together
   */
  TranslateDemo.Settings translation(List<String> words) {
    if (train) {
      throw new IllegalArgumentException("--train and --translate are two demos");
    }
    return new TranslateDemo.Settings(
        words,
        dictionary == null ? unpacked() : dictionary,
        steps(TranslateDemo.STEPS),
        seed,
        checkpoint,
        plot,
        alignment);
  }

  /**
   * What to generate.
   *
   * @param text to learn from first; null for none
   * @throws IllegalArgumentException if they do not go together
   */
  GenerateDemo.Settings generation(List<String> texts, int tokens, double temperature, Path text) {
    if (train || translate) {
      throw new IllegalArgumentException("--generate is a demo of its own");
    }
    if (text == null && (steps != null || plot != null)) {
      throw new IllegalArgumentException("--steps and --plot need a --text to learn from");
    }
    return new GenerateDemo.Settings(
        texts, tokens, temperature, text, steps(GenerateDemo.STEPS), seed, checkpoint, plot);
  }

  private int steps(int usual) {
    int count = steps == null ? usual : steps;
    CliCommand.between("--steps", count, 1, TrainDemo.MOST_STEPS);
    return count;
  }

  /** Where the launcher unpacks the dictionary. */
  private static Path unpacked() {
    String file = System.getProperty("fovea.dictionary");
    if (file == null) {
      throw new IllegalArgumentException(
          "--translate needs a --dictionary, or npm's "
              + TranslateDemo.PACKAGE
              + ", which the launcher unpacks where there is npm");
    }
    return Path.of(file);
  }
}

package dev.fovea.cli;

import dev.fovea.cli.generate.GenerateDemo;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** What {@code demo} generates. */
final class GenerateOptions {

  @Option(
      names = "--generate",
      description =
          "Go on with texts instead, several at once and byte by byte, by a small language model"
              + " with its keys and values in a paged cache: the model of this build, which has"
              + " read the project's own documentation, or one that learns from --text first. The"
              + " exit code is 1 if anything is not what the model says without a cache.")
  private boolean generate;

  @Option(
      names = "--tokens",
      defaultValue = "" + GenerateDemo.TOKENS,
      paramLabel = "N",
      description = "Bytes to generate for each text; default ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--temperature",
      defaultValue = "" + GenerateDemo.TEMPERATURE,
      paramLabel = "T",
      description =
          "How freely to draw: 0 takes what is likeliest, 1 is the model as it is; default"
              + " ${DEFAULT-VALUE}.")
  private double temperature;

  /**
   * What to generate.
   *
   * @param texts to go on with
   * @param text to learn from; null for none
   * @throws IllegalArgumentException if they do not go together
   */
  GenerateDemo.Settings settings(List<String> texts, Path text, TrainOptions learning) {
    if (!generate) {
      throw new IllegalArgumentException("--tokens and --temperature need --generate");
    }
    CliCommand.between("--tokens", tokens, 1, GenerateDemo.MOST_TOKENS);
    return learning.generation(texts, tokens, temperature, text);
  }
}

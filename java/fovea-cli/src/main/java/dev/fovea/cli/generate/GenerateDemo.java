package dev.fovea.cli.generate;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.files.DemoPicture;
import dev.fovea.cli.files.Reason;
import dev.fovea.cli.files.TextFile;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.Tape;
import dev.fovea.nn.TransformerLm;
import dev.fovea.nn.Variable;
import dev.fovea.nn.decode.Sampling;
import dev.fovea.pictures.LossPlot;
import dev.fovea.serving.Generation;
import dev.fovea.serving.GenerationRequest;
import dev.fovea.serving.Generator;
import dev.fovea.serving.GeneratorMetrics;
import dev.fovea.serving.KvCache;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;

/**
 * What {@code fovea demo --generate} does: a small language model goes on with several texts at
 * once, and what it says is compared with what it says without a cache.
 */
public final class GenerateDemo {

  /** Steps of training that are enough for texts like this project's. */
  public static final int STEPS = 2000;

  /** Bytes that are generated, unless others are asked for. */
  public static final int TOKENS = 240;

  /** More are no demo, and longer than the model's text may be. */
  public static final int MOST_TOKENS = TextModel.LONGEST - 1;

  /** Temperature, unless another is asked for. */
  public static final double TEMPERATURE = 0.5;

  private static final List<String> PROMPTS =
      List.of(
          "The kernel reads keys ",
          "A test ",
          "Q: Why is attention slow on the JVM?\nA: ",
          "## What Fovea ");

  private static final int REPORT = 100; // steps

  /**
   * What to do.
   *
   * @param prompts to go on with; none: some of its own
   * @param tokens bytes to generate for each
   * @param temperature of drawing; 0: the likeliest
   * @param text file to learn from first; null: nothing is learnt
   * @param steps of training
   * @param seed of parameters and of what is drawn
   * @param checkpoint file of a model, to be read, or to be written after training; null: the model
   *     of this build, and none
   * @param plot file to draw the losses to; null: its own name, if it can be drawn
   */
  public record Settings(
      List<String> prompts,
      int tokens,
      double temperature,
      Path text,
      int steps,
      long seed,
      Path checkpoint,
      Path plot) {}

  private final Settings settings;
  private final PrintStream text;
  private final JsonObject document = new JsonObject();
  private final TransformerLm model = TextModel.create();

  /**
   * A demo.
   *
   * @param text where results for people go
   */
  public GenerateDemo(Settings settings, PrintStream text) {
    this.settings = settings;
    this.text = text;
  }

  /** Runs it and returns the results. */
  public JsonObject run() throws IOException, InterruptedException {
    List<GenerationRequest> requests = requests();
    try (CommandFiles files = new CommandFiles()) {
      files.reads("--text", settings.text());
      if (settings.text() == null) {
        files.reads("--checkpoint", settings.checkpoint());
      } else {
        files.writes("--checkpoint", settings.checkpoint());
      }
      try (Parameters parameters = Parameters.of(model, Device.cpu(), settings.seed())) {
        document.addProperty("parameters", parameters.count());
        if (settings.text() != null) {
          train(parameters, files);
        } else if (settings.checkpoint() != null) {
          read(parameters);
        } else {
          TextModel.readOwn(parameters);
        }
        model.train(false);
        print("A language model of %,d parameters, byte by byte.%n", parameters.count());
        generate(requests);
      }
      files.commit();
    }
    return document;
  }

  private void read(Parameters parameters) throws IOException {
    Path file = settings.checkpoint();
    try {
      TextModel.read(file, parameters);
    } catch (IOException e) {
      throw new IOException("--checkpoint %s cannot be read: %s".formatted(file, Reason.of(e)), e);
    }
  }

  private List<GenerationRequest> requests() {
    List<String> prompts = settings.prompts().isEmpty() ? PROMPTS : settings.prompts();
    List<GenerationRequest> requests = new ArrayList<>();
    for (String prompt : prompts) {
      int[] tokens = ByteText.tokens(prompt);
      if (tokens.length == 0 || tokens.length + (long) settings.tokens() > TextModel.LONGEST) {
        throw new IllegalArgumentException(
            "a text of %d bytes cannot be gone on with for %d: expected at least one, and %d in all"
                .formatted(tokens.length, settings.tokens(), TextModel.LONGEST));
      }
      Sampling sampling = new Sampling(settings.temperature(), 0, 0.95);
      requests.add(
          GenerationRequest.of(tokens, settings.tokens())
              .sampling(sampling, settings.seed() + requests.size()));
    }
    return requests;
  }

  // ---- training

  private void train(Parameters parameters, CommandFiles files) throws IOException {
    DemoPicture picture =
        DemoPicture.of("--plot", settings.plot(), DemoPicture.LOSSES, files, text);
    byte[] all = TextFile.bytes("--text", settings.text());
    if (all.length <= TextTraining.LENGTH) {
      throw new IllegalArgumentException(
          "--text %s has %d bytes, expected more than %d"
              .formatted(settings.text(), all.length, TextTraining.LENGTH));
    }
    print("It learns from %,d bytes of %s.%n", all.length, settings.text());
    double[] losses;
    long start = System.nanoTime();
    try (TextTraining training =
        new TextTraining(
            all, model, parameters, TextTraining.BATCH, settings.steps(), settings.seed())) {
      double[] sum = {0};
      int[] since = {0};
      losses =
          training.run(
              settings.steps(),
              (step, metrics) -> {
                sum[0] += metrics.get("loss");
                since[0]++;
                if (step % REPORT == 0 || step == settings.steps()) {
                  double bytes = (double) step * TextTraining.BATCH * TextTraining.LENGTH;
                  print(
                      "  step %5d   loss %.4f   %,7.0f bytes/s%n",
                      step, sum[0] / since[0], bytes / seconds(start));
                  sum[0] = 0;
                  since[0] = 0;
                }
              });
    }
    document.addProperty("steps", settings.steps());
    document.addProperty("trainingSeconds", seconds(start));
    document.addProperty("loss", losses[losses.length - 1]);
    if (settings.checkpoint() != null) {
      files.write(settings.checkpoint(), TextModel.bytes(parameters));
    }
    Path drawn = picture.draw(() -> new LossPlot(losses, "Bytes of text: each step").png());
    document.addProperty("plot", drawn == null ? null : drawn.toString());
    if (drawn != null) {
      print("%s shows the loss.%n", drawn);
    }
  }

  // ---- generating

  private void generate(List<GenerationRequest> requests) throws IOException, InterruptedException {
    try (KvCache cache = TextModel.cache(Device.cpu(), requests.size());
        Generator generator =
            Generator.of(cache, model::forward)
                .slots(requests.size())
                .queue(requests.size())
                .batchInvariant()
                .start()) {
      // Nobody waits for what only the first run of code takes.
      generator.submit(GenerationRequest.of(requests.getFirst().prompt(), 16)).await();
      long start = System.nanoTime();
      List<Generation> all = requests.stream().map(generator::submit).toList();
      all.forEach(this::show);
      double seconds = all.stream().mapToDouble(it -> it.time().toNanos()).max().orElse(0) * 1e-9;
      report(all, seconds, generator.metrics());
      compare(all, seconds);
    } catch (ExecutionException e) {
      throw new IllegalStateException("the model failed", e.getCause());
    }
  }

  /** Byte by byte, as it comes. */
  private void show(Generation it) {
    text.printf("%n> %s", ByteText.of(it.request().prompt()));
    ByteText bytes = new ByteText();
    try {
      for (OptionalInt next = it.next(); next.isPresent(); next = it.next()) {
        text.print(bytes.add(next.getAsInt()));
        text.flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    text.println();
  }

  private void report(List<Generation> all, double seconds, GeneratorMetrics metrics) {
    int count = all.stream().mapToInt(it -> it.tokens().length).sum();
    print(
        "%n%d texts at once: %,d bytes in %.2f s, %,.0f a second, with a cache in pages.%n",
        all.size(), count, seconds, count / seconds);
    document.addProperty("tokens", count);
    document.addProperty("seconds", seconds);
    document.addProperty("tokensPerSecond", count / seconds);
    document.addProperty("stepsOfTheModel", metrics.steps());
    JsonArray texts = new JsonArray();
    for (Generation it : all) {
      JsonObject each = new JsonObject();
      each.addProperty("prompt", ByteText.of(it.request().prompt()));
      each.addProperty("text", ByteText.of(it.tokens()));
      each.addProperty("firstTokenSeconds", it.timeToFirstToken().toNanos() * 1e-9);
      texts.add(each);
    }
    document.add("texts", texts);
  }

  /** What the model draws where it has no cache, and reads each text as a whole. */
  private void compare(List<Generation> all, double seconds) {
    int equal = 0;
    int count = 0;
    double whole = 0;
    try (Tape tape =
        Tape.batchInvariant(Device.cpu(), Runtime.getRuntime().availableProcessors())) {
      for (Generation it : all) {
        int[] prompt = it.request().prompt();
        int[] said = it.tokens();
        int[] tokens = Arrays.copyOf(prompt, prompt.length + said.length - 1);
        System.arraycopy(said, 0, tokens, prompt.length, said.length - 1);
        long start = System.nanoTime();
        tape.begin();
        Variable ids = tape.input(DType.INT32, 1, tokens.length);
        ids.value().copyFrom(tokens);
        float[] scores = model.forward(ids).value().toFloatArray();
        whole = Math.max(whole, seconds(start));
        SplittableRandom random = new SplittableRandom(it.request().seed());
        for (int i = 0; i < said.length; i++) {
          int from = (prompt.length + i - 1) * TextModel.WORDS;
          float[] row = Arrays.copyOfRange(scores, from, from + TextModel.WORDS);
          equal += it.request().sampling().draw(row, random.nextDouble()) == said[i] ? 1 : 0;
          count++;
        }
      }
    }
    boolean same = equal == count;
    print(
        "Without a cache, from whole texts, %s of these bytes are the same; each would take %.1f ms"
            + " instead of %.2f.%n",
        same ? "all" : "%,d of %,d".formatted(equal, count), whole * 1e3, seconds * 1e3 / count);
    document.addProperty("equal", same);
    document.addProperty("secondsWithoutCache", whole);
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) * 1e-9;
  }

  private void print(String format, Object... arguments) {
    text.printf(Locale.ROOT, format, arguments);
  }
}

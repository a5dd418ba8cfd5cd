package dev.fovea.cli.demo;

import ai.onnxruntime.OrtException;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.Scope;
import dev.fovea.cli.files.CommandFiles;
import dev.fovea.cli.files.PngName;
import dev.fovea.cli.files.TextFile;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.encoder.Encoder;
import dev.fovea.encoder.Tokens;
import dev.fovea.pictures.Heatmap;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What {@code fovea demo} does. */
public final class Demo {

  private static final List<String> QUESTIONS =
      List.of(
          "How do I get rid of long GC pauses while serving a model?",
          "my container gets OOM killed but the heap is almost empty",
          "Is calling C from Java slow?",
          "The vectors I get in Java are not the same as in Python, what did I do wrong?",
          "Can I serve embeddings without a graphics card?",
          "How can I avoid wasting work on short sentences in a batch?");

  /**
   * What to do.
   *
   * @param questions to ask; none: questions of our own
   * @param text file to embed instead of the FAQ, or null
   * @param out file for its embeddings, or null
   * @param top answers for each question
   * @param heatmap file to draw, or null
   * @param layer of the heatmap
   * @param head of the heatmap
   * @param sentence of the heatmap; null: the first question
   * @param threads to embed with
   * @param rounds of timing; 0: none
   */
  public record Settings(
      List<String> questions,
      Path text,
      Path out,
      int top,
      Path heatmap,
      int layer,
      int head,
      String sentence,
      int threads,
      int rounds) {}

  private final Settings settings;
  private final PrintStream text;
  private final PrintStream progress;
  private final List<String> questions;
  private final JsonObject document = new JsonObject();

  /**
   * A demo.
   *
   * @param text where results for people go
   * @param progress where progress goes
   */
  public Demo(Settings settings, PrintStream text, PrintStream progress) {
    this.settings = settings;
    this.text = text;
    this.progress = progress;
    questions =
        settings.questions().isEmpty() && settings.text() == null
            ? QUESTIONS
            : settings.questions();
  }

  /** Runs it and returns the results. */
  public JsonObject run() throws IOException, OrtException, InterruptedException {
    checkHeatmap();
    List<String> lines = settings.text() == null ? List.of() : lines(settings.text());
    try (CommandFiles files = new CommandFiles()) {
      files.reads("--text", settings.text());
      files.writes("--out", settings.out());
      files.writes("--heatmap", settings.heatmap());
      run(lines, files);
      files.commit();
    }
    if (settings.out() != null) {
      text.printf("%n%s holds the embeddings.%n", settings.out());
    }
    if (settings.heatmap() != null) {
      text.printf(
          "%n%s shows layer %d, head %d over \"%s\".%n",
          settings.heatmap(), settings.layer(), settings.head(), sentence());
    }
    return document;
  }

  private void run(List<String> lines, CommandFiles files)
      throws IOException, OrtException, InterruptedException {
    byte[] model = Model.read();
    try (Encoder encoder = Model.encoder(model)) {
      Tokens looking = settings.heatmap() == null ? null : encoder.tokenize(sentence());
      document.addProperty("model", Model.NAME);
      document.addProperty("threads", settings.threads());
      TextEmbedder embedder = new TextEmbedder(encoder, settings.threads());
      List<String> compared =
          settings.text() == null ? searchFaq(embedder) : searchFile(lines, embedder, files);
      if (looking != null) {
        drawHeatmap(looking, encoder, files);
      }
      new PeerReport(encoder, model, text, document)
          .compare(compared, settings.threads(), settings.rounds());
    }
  }

  /** Before any work: a wrong number should not cost a minute. */
  private void checkHeatmap() {
    if (settings.heatmap() == null) {
      return;
    }
    PngName.check("--heatmap", settings.heatmap());
    inRange("--layer", settings.layer(), Model.LAYERS);
    inRange("--head", settings.head(), Model.HEADS);
    if (settings.sentence() == null && questions.isEmpty()) {
      throw new IllegalArgumentException("--heatmap needs a --sentence or a question");
    }
  }

  private static void inRange(String option, int value, int end) {
    if (value < 0 || value >= end) {
      throw new IllegalArgumentException(option + " is " + value + ", expected 0 to " + (end - 1));
    }
  }

  private static List<String> lines(Path file) throws IOException {
    List<String> lines =
        TextFile.lines("--text", file, StandardCharsets.UTF_8).stream()
            .filter(it -> !it.isBlank())
            .toList();
    if (lines.isEmpty()) {
      throw new IllegalArgumentException("--text " + file + " has no text");
    }
    return lines;
  }

  private List<String> searchFaq(TextEmbedder embedder) throws IOException {
    List<Faq.Entry> faq = Faq.read();
    List<String> texts = new ArrayList<>();
    faq.forEach(entry -> texts.add(entry.question()));
    faq.forEach(entry -> texts.add(entry.answer()));
    float[][] embeddings = embedder.embed(texts, progress);
    TextIndex index = new TextIndex();
    for (int i = 0; i < faq.size(); i++) {
      index.add(embeddings[i], embeddings[faq.size() + i]);
    }
    text.printf("%d questions and answers are embedded.%n", faq.size());
    search(index, embedder, faq);
    texts.addAll(questions);
    return texts;
  }

  private List<String> searchFile(List<String> lines, TextEmbedder embedder, CommandFiles files)
      throws IOException {
    long start = System.nanoTime();
    float[][] embeddings = embedder.embed(lines, progress);
    double seconds = (System.nanoTime() - start) * 1e-9;
    text.printf(
        Locale.ROOT,
        "%d lines, %d tokens, embedded in %.2f s: %.0f lines/s.%n",
        lines.size(),
        embedder.tokens(),
        seconds,
        lines.size() / seconds);
    if (embedder.cut() > 0) {
      text.printf(
          "%d lines are longer than %d tokens and were cut.%n",
          embedder.cut(), embedder.maxTokens());
    }
    JsonObject file = new JsonObject();
    file.addProperty("file", settings.text().toString());
    file.addProperty("lines", lines.size());
    file.addProperty("tokens", embedder.tokens());
    file.addProperty("linesCut", embedder.cut());
    file.addProperty("seconds", seconds);
    document.add("text", file);
    if (settings.out() != null) {
      write(embeddings, files, settings.out());
      file.addProperty("out", settings.out().toString());
    }
    if (!questions.isEmpty()) {
      TextIndex index = new TextIndex();
      for (float[] embedding : embeddings) {
        index.add(embedding);
      }
      search(index, embedder, lines.stream().map(line -> new Faq.Entry(line, null)).toList());
    }
    return lines.subList(0, Math.min(lines.size(), RaggedSample.SENTENCES));
  }

  private static void write(float[][] embeddings, CommandFiles files, Path file)
      throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      int width = embeddings[0].length; // a file without text is refused
      long row = (long) width * Float.BYTES;
      MemorySegment data = arena.allocate(embeddings.length * row, Float.BYTES);
      for (int i = 0; i < embeddings.length; i++) {
        MemorySegment.copy(embeddings[i], 0, data, ValueLayout.JAVA_FLOAT, i * row, width);
      }
      long[] shape = {embeddings.length, width};
      files.write(file, new Npy(NpyType.FLOAT32, shape, data)::writeTo);
    }
  }

  /** Entries without an answer are lines of a file. */
  private void search(TextIndex index, TextEmbedder embedder, List<Faq.Entry> entries) {
    float[][] asked = embedder.embed(questions, progress);
    JsonArray answers = new JsonArray();
    for (int i = 0; i < asked.length; i++) {
      text.printf("%n? %s%n", questions.get(i));
      JsonArray best = new JsonArray();
      for (TextIndex.Hit hit : index.search(asked[i], settings.top())) {
        Faq.Entry entry = entries.get(hit.entry());
        text.printf(Locale.ROOT, "  %.3f  %s%n", hit.score(), entry.question());
        JsonObject found = new JsonObject();
        found.addProperty("score", hit.score());
        found.addProperty(entry.answer() == null ? "line" : "question", entry.question());
        if (entry.answer() != null) {
          Wrap.lines(entry.answer(), 88).forEach(line -> text.println("         " + line));
          found.addProperty("answer", entry.answer());
        }
        best.add(found);
      }
      JsonObject answer = new JsonObject();
      answer.addProperty("question", questions.get(i));
      answer.add("best", best);
      answers.add(answer);
    }
    document.add("answers", answers);
  }

  /** That of the heatmap. */
  private String sentence() {
    return settings.sentence() != null ? settings.sentence() : questions.getFirst();
  }

  private void drawHeatmap(Tokens tokens, Encoder encoder, CommandFiles files) throws IOException {
    int n = tokens.ids().length;
    float[] all = encoder.attentionWeights(tokens.ids(), settings.layer());
    float[] head = Arrays.copyOfRange(all, settings.head() * n * n, (settings.head() + 1) * n * n);
    String title = "Attention of layer " + settings.layer() + ", head " + settings.head();
    try (Scope scope = Scope.open()) {
      Heatmap heatmap =
          Heatmap.of(scope.copyOf(head, n, n))
              .rowLabels(tokens.texts())
              .columnLabels(tokens.texts())
              .axes("this token looks at", "these tokens")
              .title(title);
      files.write(settings.heatmap(), heatmap.png());
    }
    JsonObject drawn = new JsonObject();
    drawn.addProperty("file", settings.heatmap().toString());
    drawn.addProperty("layer", settings.layer());
    drawn.addProperty("head", settings.head());
    drawn.addProperty("sentence", sentence());
    drawn.addProperty("tokens", n);
    document.add("heatmap", drawn);
  }
}

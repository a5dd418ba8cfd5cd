package dev.fovea.cli.demo;

import ai.onnxruntime.OrtException;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.fovea.encoder.Encoder;
import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;

/** What the demo says about ONNX Runtime: whether the two agree, and how fast each is. */
final class PeerReport {

  private final Encoder encoder;
  private final byte[] model;
  private final PrintStream text;
  private final JsonObject document;

  /**
   * A report.
   *
   * @param text where lines for people go
   * @param document where numbers go
   */
  PeerReport(Encoder encoder, byte[] model, PrintStream text, JsonObject document) {
    this.encoder = encoder;
    this.model = model;
    this.text = text;
    this.document = document;
  }

  /**
   * Compares and times.
   *
   * @param texts whose embeddings are compared
   * @param threads to time with, besides one
   * @param rounds of timing; 0: none
   */
  void compare(List<String> texts, int threads, int rounds)
      throws IOException, OrtException, InterruptedException {
    List<int[]> sentences = texts.stream().map(t -> encoder.tokenize(t).ids()).toList();
    try (OnnxRuntime peer = new OnnxRuntime(model, 1)) {
      OnnxComparison.Agreement agreement = OnnxComparison.agreement(encoder, peer, sentences);
      text.printf(
          Locale.ROOT,
          "%nAgreement with ONNX Runtime %s over %d texts: cosine at least %.7f, values differ by"
              + " at most %.1e.%n",
          peer.version(),
          agreement.texts(),
          agreement.minCosine(),
          agreement.maxAbsDiff());
      document.addProperty("onnxRuntime", peer.version());
      document.addProperty("textsCompared", agreement.texts());
      addNumber("minCosineVsOnnxRuntime", agreement.minCosine());
      addNumber("maxAbsDiffVsOnnxRuntime", agreement.maxAbsDiff());
      document.addProperty("agrees", agreement.good());
      if (!agreement.good()) {
        text.println("That is more than rounding explains: one of the two is wrong here.");
      }
    }
    if (rounds > 0) {
      List<int[]> sample = RaggedSample.of(encoder);
      int tokens = sample.stream().mapToInt(s -> s.length).sum();
      text.printf(
          "Speed over %d sentences of 5 to 120 tokens (%d), medians of %d rounds in turn:%n",
          sample.size(), tokens, rounds);
      JsonArray speeds = new JsonArray();
      speeds.add(speed(sample, 1, rounds));
      if (threads > 1) {
        speeds.add(speed(sample, threads, rounds));
      }
      document.add("speed", speeds);
    }
  }

  /** JSON has no NaN. */
  private void addNumber(String name, double value) {
    document.addProperty(name, Double.isFinite(value) ? value : null);
  }

  private JsonObject speed(List<int[]> sample, int threads, int rounds)
      throws IOException, OrtException, InterruptedException {
    OnnxComparison.Speed speed;
    try (OnnxRuntime peer = new OnnxRuntime(model, threads)) {
      speed = OnnxComparison.speed(encoder, peer, sample, threads, rounds);
    }
    text.printf(
        Locale.ROOT,
        "  %d thread%s: Fovea %.1f sentences/s%n",
        threads,
        threads == 1 ? "" : "s",
        speed.fovea());
    peer("one padded batch", speed.padded(), speed.timesPadded());
    peer("one by one", speed.oneByOne(), speed.timesOneByOne());
    if (threads > 1) {
      peer("a sentence for each thread", speed.sideBySide(), speed.timesSideBySide());
    }
    JsonObject json = new JsonObject();
    json.addProperty("threads", threads);
    json.addProperty("sentences", sample.size());
    json.addProperty("rounds", rounds);
    json.addProperty("foveaSentencesPerSecond", speed.fovea());
    json.addProperty("onnxRuntimePaddedSentencesPerSecond", speed.padded());
    json.addProperty("onnxRuntimeOneByOneSentencesPerSecond", speed.oneByOne());
    json.addProperty("onnxRuntimeSideBySideSentencesPerSecond", speed.sideBySide());
    json.addProperty("timesOnnxRuntimePadded", speed.timesPadded());
    json.addProperty("timesOnnxRuntimeOneByOne", speed.timesOneByOne());
    json.addProperty("timesOnnxRuntimeSideBySide", speed.timesSideBySide());
    return json;
  }

  private void peer(String how, double speed, double times) {
    text.printf(
        Locale.ROOT,
        "    ONNX Runtime, %-27s %6.1f sentences/s   Fovea: %.2f times%n",
        how,
        speed,
        times);
  }
}

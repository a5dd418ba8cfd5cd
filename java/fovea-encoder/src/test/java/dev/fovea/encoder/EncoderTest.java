package dev.fovea.encoder;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against {@link TinyBert}, in float64. */
class EncoderTest {
  private static final int CLS = 2;
  private static final int SEP = 3;
  private static final double TOLERANCE = 2e-5;

  @TempDir private Path folder;

  /** Of all lengths, with ids that the tokenizer would give. */
  private static List<int[]> sentences(int count) {
    Random random = new Random(7);
    List<int[]> sentences = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int length = 1 + i % TinyBert.POSITIONS;
      int[] sentence = random.ints(length, 0, TinyBert.VOCABULARY.size()).toArray();
      sentence[length - 1] = SEP;
      sentence[0] = CLS;
      sentences.add(sentence);
    }
    return sentences;
  }

  private static void assertClose(double[] expected, float[] found) {
    assertEquals(expected.length, found.length);
    for (int d = 0; d < found.length; d++) {
      assertEquals(expected[d], found[d], TOLERANCE, "value " + d);
    }
  }

  private static void assertMeans(TinyBert model, Encoder encoder) {
    List<int[]> sentences = sentences(30);
    float[][] found = encoder.embedTokens(sentences, 1);
    for (int i = 0; i < found.length; i++) {
      double[] mean = TinyBert.mean(model.rows(sentences.get(i)));
      assertClose(TinyBert.normalized(mean), found[i]);
    }
  }

  @Test
  void aFolderIsLoaded() throws IOException {
    TinyBert model = new TinyBert(1).write(folder);
    try (Encoder encoder = Encoder.load(folder)) {
      assertEquals(TinyBert.WIDTH, encoder.dimensions());
      assertEquals(TinyBert.POSITIONS, encoder.maxTokens());
      assertEquals(TinyBert.LAYERS, encoder.layers());
      assertEquals(TinyBert.HEADS, encoder.heads());
      assertMeans(model, encoder);
    }
  }

  @Test
  void sixteenBitWeightsOfAModelWithAHeadAreLoaded() throws IOException {
    for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16)) {
      TinyBert model = new TinyBert(2).write(folder, dtype, "bert.");
      try (Encoder encoder = Encoder.load(folder)) {
        assertMeans(model, encoder);
      }
    }
  }

  @Test
  void anOnnxFileIsLoaded() throws IOException {
    TinyBert model = new TinyBert(3).write(folder);
    Path file = folder.resolve("any name.onnx");
    Files.write(file, TinyOnnx.of(model));
    try (Encoder encoder = Encoder.load(file)) {
      assertMeans(model, encoder);
    }
  }

  @Test
  void activationsAreThoseOfTheConfig() throws IOException {
    TinyBert model = new TinyBert(4).write(folder);
    model.activation = x -> Math.max(0, x);
    config("\"gelu\"", "\"relu\"");
    try (Encoder encoder = Encoder.load(folder)) {
      assertMeans(model, encoder);
    }
    model.activation =
        x -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    config("\"relu\"", "\"gelu_new\"");
    try (Encoder encoder = Encoder.load(folder)) {
      assertMeans(model, encoder);
    }
  }

  @Test
  void poolingIsThatOfSentenceTransformers() throws IOException {
    TinyBert model = new TinyBert(5).write(folder);
    int[] sentence = {CLS, 4, 5, 7, SEP};
    double[][] rows = model.rows(sentence);
    pooling("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
    assertClose(TinyBert.normalized(rows[0]), embed(sentence)); // without modules.json
    modules("Transformer", "Pooling");
    assertClose(rows[0], embed(sentence));
    modules("Transformer", "Pooling", "Normalize");
    assertClose(TinyBert.normalized(rows[0]), embed(sentence));
    pooling("{\"pooling_mode\": \"mean\"}");
    modules("Transformer", "Pooling");
    assertClose(TinyBert.mean(rows), embed(sentence));
  }

  private float[] embed(int[] sentence) throws IOException {
    try (Encoder encoder = Encoder.load(folder)) {
      return encoder.embedTokens(List.of(sentence), 1)[0];
    }
  }

  private void pooling(String json) throws IOException {
    Path own = Files.createDirectories(folder.resolve("1_Pooling"));
    Files.writeString(own.resolve("config.json"), json);
  }

  private void modules(String... types) throws IOException {
    List<String> modules = new ArrayList<>();
    for (int i = 0; i < types.length; i++) {
      String path = i == 0 ? "" : i + "_" + types[i];
      modules.add(
          "{\"idx\": %d, \"path\": \"%s\", \"type\": \"sentence_transformers.models.%s\"}"
              .formatted(i, path, types[i]));
    }
    Files.writeString(folder.resolve("modules.json"), "[" + String.join(", ", modules) + "]");
  }

  private void config(String what, String by) throws IOException {
    Path file = folder.resolve("config.json");
    String text = Files.readString(file);
    assertTrue(text.contains(what), text);
    Files.writeString(file, text.replace(what, by));
  }

  // ---- texts

  @Test
  void textsAreTokenizedAndCut() throws IOException {
    new TinyBert(6).write(folder);
    try (Encoder encoder = Encoder.load(folder)) {
      Tokens tokens = encoder.tokenize("The cat sleeps");
      assertArrayEquals(new int[] {CLS, 9, 5, 7, 8, SEP}, tokens.ids());
      assertEquals(List.of("[CLS]", "the", "cat", "sleep", "##s", "[SEP]"), tokens.texts());
      assertFalse(tokens.cut());
      assertArrayEquals(new int[] {CLS, SEP}, encoder.tokenize("").ids());
      Tokens longest = encoder.tokenize("dog ".repeat(20));
      assertEquals(TinyBert.POSITIONS, longest.ids().length);
      assertTrue(longest.cut());
      List<int[]> ids = List.of(tokens.ids(), longest.ids());
      float[][] found = encoder.embed(List.of("The cat sleeps", "dog ".repeat(20)));
      float[][] expected = encoder.embedTokens(ids, 1);
      assertArrayEquals(expected[0], found[0], 2e-6f);
      assertArrayEquals(expected[1], found[1], 2e-6f);
    }
    Files.writeString(folder.resolve("sentence_bert_config.json"), "{\"max_seq_length\": 5}");
    try (Encoder encoder = Encoder.load(folder)) {
      assertEquals(5, encoder.maxTokens());
      assertArrayEquals(new int[] {CLS, 9, 5, 7, SEP}, encoder.tokenize("The cat sleeps").ids());
    }
  }

  // ---- threads

  @Test
  void threadsAndNeighboursChangeNothing() throws IOException {
    new TinyBert(8).write(folder);
    List<int[]> sentences = sentences(500); // several blocks
    try (Encoder encoder = Encoder.load(folder)) {
      float[][] together = encoder.embedTokens(sentences, 1);
      float[][] threaded = encoder.embedTokens(sentences, 3);
      for (int i = 0; i < together.length; i++) {
        assertArrayEquals(together[i], threaded[i], 2e-6f);
      }
      for (int i = 0; i < 24; i++) {
        float[] alone = encoder.embedTokens(sentences.subList(i, i + 1), 1)[0];
        assertArrayEquals(together[i], alone, 2e-6f);
      }
      assertEquals(0, encoder.embedTokens(List.of(), 2).length);
    }
  }

  @Test
  void callersMayBeMany() throws Exception {
    TinyBert model = new TinyBert(9).write(folder);
    List<int[]> sentences = sentences(40);
    int[] looking = {CLS, 4, 5, SEP};
    double[][][] expected = model.attention(looking, 1);
    try (Encoder encoder = Encoder.load(folder);
        ExecutorService callers = Executors.newFixedThreadPool(4)) {
      float[][] alone = encoder.embedTokens(sentences, 1);
      List<Future<?>> all = new ArrayList<>();
      for (int caller = 0; caller < 4; caller++) {
        boolean embeds = caller > 0;
        all.add(
            callers.submit(
                () -> {
                  for (int i = 0; i < 20; i++) {
                    if (embeds) {
                      float[][] found = encoder.embedTokens(sentences, 2);
                      for (int s = 0; s < found.length; s++) {
                        assertArrayEquals(alone[s], found[s], 2e-6f);
                      }
                    } else {
                      assertWeights(expected, encoder.attentionWeights(looking, 1));
                    }
                  }
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    }
  }

  // ---- attention weights

  @Test
  void attentionWeightsAreThoseOfTheLayer() throws IOException {
    TinyBert model = new TinyBert(10).write(folder);
    int[] sentence = {CLS, 4, 6, 7, 8, 10, SEP};
    try (Encoder encoder = Encoder.load(folder)) {
      for (int layer = 0; layer < TinyBert.LAYERS; layer++) {
        assertWeights(model.attention(sentence, layer), encoder.attentionWeights(sentence, layer));
      }
    }
  }

  private static void assertWeights(double[][][] expected, float[] found) {
    int tokens = expected[0].length;
    assertEquals(expected.length * tokens * tokens, found.length);
    for (int i = 0; i < found.length; i++) {
      double weight = expected[i / (tokens * tokens)][i / tokens % tokens][i % tokens];
      assertEquals(weight, found[i], TOLERANCE);
    }
  }

  // ---- what cannot be embedded

  @Test
  void sentencesThatDoNotFitAreRefused() throws IOException {
    new TinyBert(11).write(folder);
    try (Encoder encoder = Encoder.load(folder)) {
      assertRefused(encoder, "a sentence has 0 tokens, expected 1 to 12");
      assertRefused(encoder, "a sentence has 13 tokens, expected 1 to 12", new int[13]);
      assertRefused(encoder, "token 11 is not in the vocabulary of 11", 2, 11, 3);
      assertRefused(encoder, "token -1 is not in the vocabulary of 11", 2, -1, 3);
      List<int[]> fine = List.of(new int[] {CLS, SEP});
      assertThrows(IllegalArgumentException.class, () -> encoder.embedTokens(fine, 0));
      int[] one = fine.getFirst();
      assertThrows(IllegalArgumentException.class, () -> encoder.attentionWeights(one, 2));
      assertThrows(IllegalArgumentException.class, () -> encoder.attentionWeights(one, -1));
    }
  }

  private static void assertRefused(Encoder encoder, String why, int... sentence) {
    List<int[]> sentences = List.of(new int[] {CLS, SEP}, sentence);
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> encoder.embedTokens(sentences, 1));
    assertEquals(why, refused.getMessage());
  }

  @Test
  void aClosedEncoderSaysSo() throws IOException {
    new TinyBert(12).write(folder);
    Encoder encoder = Encoder.load(folder);
    encoder.embed(List.of("a cat"));
    encoder.close();
    encoder.close();
    List<Runnable> uses =
        List.of(
            () -> encoder.embed(List.of("a cat")),
            () -> encoder.embedTokens(List.of(new int[] {CLS, SEP}), 1),
            () -> encoder.tokenize("a cat"),
            () -> encoder.attentionWeights(new int[] {CLS, SEP}, 0));
    for (Runnable use : uses) {
      IllegalStateException refused = assertThrows(IllegalStateException.class, use::run);
      assertEquals("the encoder is closed", refused.getMessage());
    }
    assertEquals(TinyBert.WIDTH, encoder.dimensions());
  }
}

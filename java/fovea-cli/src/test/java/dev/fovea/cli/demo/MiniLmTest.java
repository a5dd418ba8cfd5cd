package dev.fovea.cli.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import dev.fovea.encoder.Encoder;
import dev.fovea.encoder.Tokens;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The encoder on all-MiniLM-L6-v2. */
class MiniLmTest {

  private static byte[] model;
  private static Encoder encoder;

  @BeforeAll
  static void load() throws IOException {
    model = Model.read();
    encoder = Model.encoder(model);
  }

  @AfterAll
  static void close() {
    encoder.close();
  }

  private static List<int[]> sentences() {
    List<int[]> sentences = new ArrayList<>();
    for (String text :
        List.of(
            "",
            "a",
            "How do I keep garbage collection pauses out of my inference latency?",
            "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
            "déjà vu, 日本語, emoji 🙂, <tags>, and\ttabs",
            "memory ".repeat(300))) {
      sentences.add(encoder.tokenize(text).ids());
    }
    // A block's border, and lengths around the widths of vectors.
    Random random = new Random(5);
    for (int length : new int[] {3, 15, 16, 17, 31, 33, 64, 65, 120, 127, 128, 129, 512}) {
      int[] sentence = random.ints(length, 1000, 30000).toArray();
      sentence[0] = 101;
      sentence[length - 1] = 102;
      sentences.add(sentence);
    }
    return sentences;
  }

  @Test
  void tokensAreThoseOfTheModel() {
    Tokens sentence = encoder.tokenize("Does off-heap memory help? déjà");
    assertEquals(
        List.of("[CLS]", "does", "off", "-", "heap", "memory", "help", "?", "de", "##ja", "[SEP]"),
        sentence.texts());
    assertArrayEquals(
        new int[] {101, 2515, 2125, 1011, 16721, 3638, 2393, 1029, 2139, 3900, 102},
        sentence.ids());
    assertArrayEquals(new int[] {101, 102}, encoder.tokenize("").ids());
    Tokens longest = encoder.tokenize("word ".repeat(2000));
    assertEquals(encoder.maxTokens(), longest.ids().length);
    assertTrue(longest.cut());
  }

  @Test
  void sizesAreThoseOfTheModel() {
    assertEquals(384, encoder.dimensions());
    assertEquals(512, encoder.maxTokens());
    assertEquals(Model.LAYERS, encoder.layers());
    assertEquals(Model.HEADS, encoder.heads());
  }

  @Test
  void agreesWithOnnxRuntime() throws OrtException, IOException {
    try (OnnxRuntime peer = new OnnxRuntime(model, 1)) {
      OnnxComparison.Agreement agreement = OnnxComparison.agreement(encoder, peer, sentences());
      assertTrue(agreement.minCosine() >= 0.9999999, agreement.toString());
      assertTrue(agreement.maxAbsDiff() <= 2e-5, agreement.toString());
      // Padding changes nothing but rounding.
      List<int[]> few = sentences().subList(0, 4);
      float[][] padded = peer.embedPadded(few);
      float[][] single = peer.embedOneByOne(few);
      for (int i = 0; i < few.size(); i++) {
        assertArrayEquals(single[i], padded[i], 2e-6f);
      }
    }
  }

  @Test
  void threadsAndNeighboursChangeNothing() {
    List<int[]> sentences = sentences();
    float[][] together = encoder.embedTokens(sentences, 1);
    float[][] threaded = encoder.embedTokens(sentences, 3);
    for (int i = 0; i < together.length; i++) {
      assertEquals(encoder.dimensions(), together[i].length);
      assertArrayEquals(together[i], threaded[i], 2e-6f);
      assertArrayEquals(encoder.embedTokens(List.of(sentences.get(i)), 1)[0], together[i], 2e-6f);
    }
    assertEquals(0, encoder.embedTokens(List.of(), 2).length);
  }

  @Test
  void attentionWeightsSumToOne() {
    int[] sentence = encoder.tokenize("Rows of weights sum to one.").ids();
    int n = sentence.length;
    float[] first = encoder.attentionWeights(sentence, 0);
    float[] last = encoder.attentionWeights(sentence, encoder.layers() - 1);
    assertEquals(encoder.heads() * n * n, last.length);
    for (int row = 0; row < encoder.heads() * n; row++) {
      double sum = 0;
      for (int j = 0; j < n; j++) {
        sum += last[row * n + j];
      }
      assertEquals(1, sum, 1e-5);
    }
    assertTrue(Arrays.mismatch(first, last) >= 0, "layers differ");
  }

  @Test
  void refusesWhatItCannotEmbed() {
    List<int[]> empty = List.of(new int[0]);
    List<int[]> long513 = List.of(new int[513]);
    List<int[]> unknown = List.of(new int[] {101, 30522, 102});
    assertThrows(IllegalArgumentException.class, () -> encoder.embedTokens(empty, 1));
    assertThrows(IllegalArgumentException.class, () -> encoder.embedTokens(long513, 1));
    assertThrows(IllegalArgumentException.class, () -> encoder.embedTokens(unknown, 1));
    int[] fine = {101, 102};
    assertThrows(IllegalArgumentException.class, () -> encoder.attentionWeights(fine, 6));
  }
}

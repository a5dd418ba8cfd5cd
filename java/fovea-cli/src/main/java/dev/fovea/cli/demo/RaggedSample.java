package dev.fovea.cli.demo;

import dev.fovea.encoder.Encoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The batch that speed is measured on: 64 pieces of real text, their lengths evenly spread from 5
 * to 120 tokens, in an order that is the same every time.
 */
public final class RaggedSample {

  /** Number of sentences. */
  public static final int SENTENCES = 64;

  private static final int SHORTEST = 5;
  private static final int LONGEST = 120;

  private RaggedSample() {}

  /** Cuts the texts of the FAQ, laid end to end, into sentences. */
  public static List<int[]> of(Encoder encoder) throws java.io.IOException {
    List<int[]> texts = new ArrayList<>();
    for (Faq.Entry entry : Faq.read()) {
      texts.add(encoder.tokenize(entry.question()).ids());
      texts.add(encoder.tokenize(entry.answer()).ids());
    }
    int first = texts.getFirst()[0];
    int last = texts.getFirst()[texts.getFirst().length - 1];
    int[] words =
        texts.stream().flatMapToInt(t -> java.util.Arrays.stream(t, 1, t.length - 1)).toArray();

    List<int[]> sentences = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < SENTENCES; i++) {
      int length = SHORTEST + i * (LONGEST - SHORTEST) / (SENTENCES - 1);
      int[] sentence = new int[length];
      sentence[0] = first;
      sentence[length - 1] = last;
      for (int t = 1; t < length - 1; t++) {
        sentence[t] = words[at++ % words.length];
      }
      sentences.add(sentence);
    }
    java.util.Collections.shuffle(sentences, new Random(1));
    return sentences;
  }
}

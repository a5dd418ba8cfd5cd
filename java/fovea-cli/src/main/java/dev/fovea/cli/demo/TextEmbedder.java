package dev.fovea.cli.demo;

import dev.fovea.encoder.Encoder;
import dev.fovea.encoder.Tokens;
import dev.fovea.nn.train.ProgressBar;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Embeds any number of texts, with a progress bar when it takes long. */
final class TextEmbedder {

  /** Texts tokenised and embedded at a time: many enough to fill the blocks of all threads. */
  private static final int BATCH = 256;

  private final Encoder encoder;
  private final int threads;
  private long tokens;
  private int cut;

  TextEmbedder(Encoder encoder, int threads) {
    this.encoder = encoder;
    this.threads = threads;
  }

  /** Embeds {@code texts}; progress goes to {@code progress}. */
  float[][] embed(List<String> texts, PrintStream progress) {
    float[][] embeddings = new float[texts.size()][];
    try (ProgressBar bar = ProgressBar.of(progress, "texts", texts.size())) {
      for (int from = 0; from < texts.size(); from += BATCH) {
        List<int[]> sentences = new ArrayList<>();
        for (String text : texts.subList(from, Math.min(from + BATCH, texts.size()))) {
          Tokens sentence = encoder.tokenize(text);
          sentences.add(sentence.ids());
          tokens += sentence.ids().length;
          cut += sentence.cut() ? 1 : 0;
        }
        float[][] some = encoder.embedTokens(sentences, threads);
        System.arraycopy(some, 0, embeddings, from, some.length);
        bar.update(from + some.length);
      }
    }
    return embeddings;
  }

  /** Where texts are cut. */
  int maxTokens() {
    return encoder.maxTokens();
  }

  /** Tokens embedded so far. */
  long tokens() {
    return tokens;
  }

  /** Texts so far that were longer than the encoder takes. */
  int cut() {
    return cut;
  }
}

package dev.fovea.cli.demo;

import dev.fovea.cli.encoder.Encoder;
import dev.fovea.cli.encoder.Tokenizer;
import dev.fovea.nn.train.ProgressBar;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Embeds any number of texts, with a progress bar when it takes long. */
final class TextEmbedder {

  /** Texts tokenised and embedded at a time: many enough to fill the blocks of all threads. */
  private static final int BATCH = 256;

  private final Tokenizer tokenizer;
  private final Encoder encoder;
  private final int threads;
  private long tokens;
  private int cut;

  TextEmbedder(Tokenizer tokenizer, Encoder encoder, int threads) {
    this.tokenizer = tokenizer;
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
          Tokenizer.Sentence sentence = tokenizer.tokenize(text);
          sentences.add(sentence.ids());
          tokens += sentence.ids().length;
          cut += sentence.cut() ? 1 : 0;
        }
        float[][] some = encoder.embed(sentences, threads);
        System.arraycopy(some, 0, embeddings, from, some.length);
        bar.update(from + some.length);
      }
    }
    return embeddings;
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

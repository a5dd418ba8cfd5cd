package dev.fovea.cli.encoder;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.fovea.testkit.CleanExit;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;

/**
 * Text to token numbers, with the vocabulary of all-MiniLM-L6-v2. Longer text is cut at {@link
 * Encoder#MAX_TOKENS}.
 */
public final class Tokenizer implements AutoCloseable {

  /**
   * A tokenised sentence.
   *
   * @param ids token numbers, with the special tokens at both ends
   * @param tokens how they read
   * @param cut whether the text was longer than the encoder takes
   */
  public record Sentence(int[] ids, List<String> tokens, boolean cut) {}

  private static final String CACHE = "ENGINE_CACHE_DIR";

  private final HuggingFaceTokenizer tokenizer;

  private Tokenizer(HuggingFaceTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** Opens the tokenizer, without touching the network. */
  public static Tokenizer open() throws IOException {
    // The library looks for newer files, GPUs and usage tracking unless told otherwise.
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("RUST_FLAVOR", "cpu");
    if (System.getenv(CACHE) != null || System.getProperty(CACHE) != null) {
      return new Tokenizer(read());
    }
    // Its default is one directory for all processes, whose files are loaded as they are.
    return CleanExit.inFolder(
        "fovea-tokenizer-",
        cache -> {
          System.setProperty(CACHE, cache.toString());
          try {
            return new Tokenizer(read()); // what is loaded stays mapped
          } finally {
            System.clearProperty(CACHE);
          }
        });
  }

  private static HuggingFaceTokenizer read() throws IOException {
    try (InputStream in = Model.open(Model.TOKENIZER)) {
      Map<String, String> options =
          Map.of(
              "padding",
              "false",
              "truncation",
              "true",
              "maxLength",
              String.valueOf(Encoder.MAX_TOKENS),
              "modelMaxLength",
              String.valueOf(Encoder.MAX_TOKENS));
      return HuggingFaceTokenizer.newInstance(in, options);
    }
  }

  /** Tokenises {@code text}; of empty text only the special tokens are left. */
  public Sentence tokenize(String text) {
    Encoding encoding = tokenizer.encode(text);
    long[] ids = encoding.getIds();
    int[] narrow = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      narrow[i] = Math.toIntExact(ids[i]);
    }
    return new Sentence(narrow, List.of(encoding.getTokens()), encoding.exceedMaxLength());
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}

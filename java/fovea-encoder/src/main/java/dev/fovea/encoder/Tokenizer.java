package dev.fovea.encoder;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.fovea.ffi.TemporaryFolder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** Text to token ids, by a Hugging Face tokenizer. */
final class Tokenizer implements AutoCloseable {
  private static final String CACHE = "ENGINE_CACHE_DIR";

  private final HuggingFaceTokenizer tokenizer;

  private Tokenizer(HuggingFaceTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * Opens a tokenizer, without touching the network.
   *
   * @param file its tokenizer.json
   * @param name of the file, for what goes wrong
   * @param maxTokens where longer text is cut
   */
  static Tokenizer of(byte[] file, String name, int maxTokens) throws IOException {
    // The library looks for newer files, GPUs and usage tracking unless told otherwise.
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("RUST_FLAVOR", "cpu");
    synchronized (Tokenizer.class) { // its folder is a property of the process
      if (System.getenv(CACHE) != null || System.getProperty(CACHE) != null) {
        return read(file, name, maxTokens);
      }
      // Its default is one directory for all processes, whose files are loaded as they are.
      try (TemporaryFolder cache = TemporaryFolder.make("fovea-tokenizer-")) {
        System.setProperty(CACHE, cache.path().toString());
        return read(file, name, maxTokens); // what is loaded stays mapped
      } finally {
        System.clearProperty(CACHE);
      }
    }
  }

  private static Tokenizer read(byte[] file, String name, int maxTokens) throws IOException {
    String most = String.valueOf(maxTokens);
    Map<String, String> options =
        Map.of("padding", "false", "truncation", "true", "maxLength", most, "modelMaxLength", most);
    try {
      return new Tokenizer(
          HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(file), options));
    } catch (RuntimeException e) { // of the library's native code, whatever is wrong
      throw new IOException(name + " is no tokenizer: " + e.getMessage(), e);
    }
  }

  /** Of empty text only the special tokens are left. */
  Tokens tokenize(String text) {
    Encoding encoding = tokenizer.encode(text);
    long[] ids = encoding.getIds();
    int[] narrow = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      narrow[i] = Math.toIntExact(ids[i]);
    }
    return new Tokens(narrow, List.of(encoding.getTokens()), encoding.exceedMaxLength());
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}

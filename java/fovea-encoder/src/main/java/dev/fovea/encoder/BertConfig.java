package dev.fovea.encoder;

import dev.fovea.Activation;
import java.io.IOException;

/**
 * What a BERT model is like, as Hugging Face's config.json has it.
 *
 * @param vocabulary rows of the table of tokens
 * @param width of rows between layers
 * @param layers how many
 * @param heads of a layer
 * @param feedForward width of the inner feed-forward layer
 * @param activation between the two feed-forward layers
 * @param positions rows of the table of positions
 * @param types rows of the table of token types
 * @param epsilon what layer normalization adds to the variance
 */
record BertConfig(
    int vocabulary,
    int width,
    int layers,
    int heads,
    int feedForward,
    Activation activation,
    int positions,
    int types,
    double epsilon) {

  /** That of all-MiniLM-L6-v2, whose ONNX file does not say it. */
  static final BertConfig MINILM =
      new BertConfig(30522, 384, 6, 12, 1536, Activation.gelu(), 512, 2, 1e-12);

  /**
   * Reads a config.
   *
   * @throws IOException if it is not of a BERT model that can be computed here
   */
  static BertConfig of(JsonFile file) throws IOException {
    file.require("model_type", file.text("model_type", "bert"), "bert");
    file.require(
        "position_embedding_type", file.text("position_embedding_type", "absolute"), "absolute");
    if (file.isTrue("is_decoder")) {
      throw new IOException(file.path() + " is of a decoder, expected an encoder");
    }
    BertConfig config =
        new BertConfig(
            file.positive("vocab_size"),
            file.positive("hidden_size"),
            file.positive("num_hidden_layers"),
            file.positive("num_attention_heads"),
            file.positive("intermediate_size"),
            activation(file, file.text("hidden_act", "gelu")),
            file.positive("max_position_embeddings"),
            file.positive("type_vocab_size"),
            file.number("layer_norm_eps", 1e-12));
    if (config.width % config.heads != 0) {
      throw new IOException(
          "%s has hidden_size %d, expected a multiple of num_attention_heads, %d"
              .formatted(file.path(), config.width, config.heads));
    }
    if (!(config.epsilon >= 0 && config.epsilon < 1)) {
      throw new IOException(
          "%s has layer_norm_eps %s, expected 0 to 1".formatted(file.path(), config.epsilon));
    }
    return config;
  }

  private static Activation activation(JsonFile file, String name) throws IOException {
    return switch (name) {
      case "gelu" -> Activation.gelu();
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.geluTanh();
      case "relu" -> Activation.relu();
      case "silu", "swish" -> Activation.silu();
      default ->
          throw new IOException(
              "%s has hidden_act %s, expected gelu, gelu_new, gelu_pytorch_tanh, relu or silu"
                  .formatted(file.path(), name));
    };
  }
}

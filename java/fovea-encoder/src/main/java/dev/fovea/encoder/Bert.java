package dev.fovea.encoder;

import dev.fovea.Normalization;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Module;
import dev.fovea.nn.Norm;
import dev.fovea.nn.Operands;
import dev.fovea.nn.Parameters;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.TransformerEncoderLayer;
import dev.fovea.nn.Variable;
import java.io.IOException;
import java.util.List;

/**
 * The encoder of Devlin et al., BERT, arXiv 1810.04805, without its pooler. Of the token types only
 * the first is used, which is part of the table of positions here.
 */
final class Bert extends Module {
  private final BertConfig config;
  private final Embedding embedding;
  private final Norm norm;
  private final TransformerEncoder encoder;

  Bert(BertConfig config) {
    this.config = config;
    embedding =
        child(
            "embedding",
            new Embedding(config.vocabulary(), config.width())
                .learnedPositions(config.positions()));
    norm = child("norm", new Norm(Normalization.layer(config.epsilon()), config.width(), true));
    encoder =
        child(
            "encoder",
            new TransformerEncoder(
                TransformerConfig.of(config.width(), config.heads())
                    .feedForward(config.feedForward(), config.activation())
                    .normEpsilon(config.epsilon())
                    .postNorm(),
                config.layers()));
    train(false);
  }

  /** Gives the parameters their values. */
  void read(Weights weights, Parameters parameters) throws IOException {
    int width = config.width();
    float[] positions =
        weights.read("embeddings.position_embeddings.weight", config.positions(), width);
    float[] types = weights.read("embeddings.token_type_embeddings.weight", config.types(), width);
    for (int i = 0; i < positions.length; i++) {
      positions[i] += types[i % width];
    }
    Reader to = new Reader(weights, parameters);
    to.put("embedding.positions", positions);
    to.copy("embedding.weight", "embeddings.word_embeddings.weight");
    to.copyBoth("norm", "embeddings.LayerNorm");
    for (int i = 0; i < config.layers(); i++) {
      String own = "encoder.layers." + i + ".";
      String theirs = "encoder.layer." + i + ".";
      to.join(own + "attention.query_key_value", theirs + "attention.self.", width);
      to.copyBoth(own + "attention.out", theirs + "attention.output.dense");
      to.copyBoth(own + "attention_norm", theirs + "attention.output.LayerNorm");
      to.copyBoth(own + "feed_forward.up", theirs + "intermediate.dense");
      to.copyBoth(own + "feed_forward.down", theirs + "output.dense");
      to.copyBoth(own + "feed_forward_norm", theirs + "output.LayerNorm");
    }
  }

  private record Reader(Weights weights, Parameters parameters) {
    void put(String name, float[] values) {
      parameters.named().get(name).value().copyFrom(values);
    }

    void copy(String name, String from) throws IOException {
      long[] shape = parameters.named().get(name).shape();
      int[] sizes = new int[shape.length];
      for (int i = 0; i < sizes.length; i++) {
        sizes[i] = Math.toIntExact(shape[i]);
      }
      put(name, weights.read(from, sizes));
    }

    void copyBoth(String name, String from) throws IOException {
      copy(name + ".weight", from + ".weight");
      copy(name + ".bias", from + ".bias");
    }

    /** Three projections side by side are one. */
    void join(String name, String from, int width) throws IOException {
      float[] all = new float[3 * width * width];
      float[] biases = new float[3 * width];
      List<String> parts = List.of("query", "key", "value");
      for (int p = 0; p < parts.size(); p++) {
        String part = from + parts.get(p);
        float[] weight = weights.read(part + ".weight", width, width);
        System.arraycopy(weight, 0, all, p * weight.length, weight.length);
        System.arraycopy(weights.read(part + ".bias", width), 0, biases, p * width, width);
      }
      put(name + ".weight", all);
      put(name + ".bias", biases);
    }
  }

  BertConfig config() {
    return config;
  }

  List<TransformerEncoderLayer> layers() {
    return encoder.layers();
  }

  /**
   * What goes into the first layer.
   *
   * @param ids int32 [1, T]
   * @param positionIds int32 [1, T]
   * @return [T, width]
   */
  Variable embedded(Variable ids, Variable positionIds) {
    return norm.forward(embedding.forward(ids, positionIds)).reshape(-1, config.width());
  }

  /** One layer, packed: [T, width] to the same. */
  Variable layer(int index, Variable rows, Operands packed) {
    return layers().get(index).forward(rows, packed);
  }
}

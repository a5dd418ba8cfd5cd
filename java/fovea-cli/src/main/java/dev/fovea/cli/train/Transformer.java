package dev.fovea.cli.train;

import java.util.ArrayList;
import java.util.List;

/**
 * A Transformer encoder that scores the words of its vocabulary for every token. Layers normalise
 * first (Xiong et al., 2020, arXiv 2002.04745).
 */
final class Transformer {

  /**
   * Its sizes.
   *
   * @param vocabulary different tokens
   * @param length tokens of a sequence
   * @param width values of a token's row, a multiple of {@code heads}
   * @param heads of an attention layer
   * @param hidden width inside a feed-forward layer
   * @param layers of attention, each followed by a feed-forward layer
   */
  record Sizes(int vocabulary, int length, int width, int heads, int hidden, int layers) {}

  private final Embedding embedding;
  private final Sequence body;

  /** For {@code batch} sequences at a time. */
  Transformer(Workspace workspace, Sizes sizes, int batch) {
    int width = sizes.width();
    int hidden = sizes.hidden();
    embedding = new Embedding(workspace, sizes.vocabulary(), sizes.length(), width);
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < sizes.layers(); i++) {
      layers.add(
          new Residual(
              workspace,
              width,
              new LayerNorm(workspace, width),
              new SelfAttention(workspace, batch, sizes.length(), width, sizes.heads())));
      layers.add(
          new Residual(
              workspace,
              width,
              new LayerNorm(workspace, width),
              new Linear(workspace, width, hidden),
              new Relu(workspace, hidden),
              new Linear(workspace, hidden, width)));
    }
    layers.add(new LayerNorm(workspace, width));
    layers.add(new Linear(workspace, width, sizes.vocabulary()));
    body = new Sequence(layers);
  }

  /**
   * Scores for the tokens of a batch.
   *
   * @param tokens sequence after sequence
   * @return a row for each token, with a score for each word of the vocabulary
   */
  Matrix forward(int[] tokens) {
    return body.forward(embedding.forward(tokens));
  }

  /** Sets the gradients of all parameters from that of the last scores. */
  void backward(Matrix gradient) {
    embedding.backward(body.backward(gradient));
  }
}

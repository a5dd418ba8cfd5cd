package dev.fovea.cli.train;

import dev.fovea.Activation;
import dev.fovea.nn.Embedding;
import dev.fovea.nn.Linear;
import dev.fovea.nn.Module;
import dev.fovea.nn.Operands;
import dev.fovea.nn.TransformerConfig;
import dev.fovea.nn.TransformerEncoder;
import dev.fovea.nn.Variable;

/**
 * A Transformer encoder that scores the words of its vocabulary for every token. Layers normalise
 * first (Xiong et al., 2020, arXiv 2002.04745).
 */
final class Transformer extends Module {

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
  private final TransformerEncoder encoder;
  private final Linear scores;

  Transformer(Sizes sizes) {
    TransformerConfig config =
        TransformerConfig.of(sizes.width(), sizes.heads())
            .feedForward(sizes.hidden(), Activation.relu());
    Embedding tokens = new Embedding(sizes.vocabulary(), sizes.width());
    embedding = child("embedding", tokens.learnedPositions(sizes.length()));
    encoder = child("encoder", new TransformerEncoder(config, sizes.layers()));
    scores = child("scores", new Linear(sizes.width(), sizes.vocabulary()));
  }

  /** Scores [B, S, V] for tokens [B, S]. */
  Variable forward(Variable tokens) {
    return scores.forward(encoder.forward(embedding.forward(tokens), Operands.none()));
  }
}

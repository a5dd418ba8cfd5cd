package dev.fovea.nn;

/**
 * A language model of a transformer's decoder alone: scores of what comes next behind every token
 * (Radford et al., Improving language understanding by generative pre-training, 2018). What scores
 * words is the table of their rows again (Press and Wolf, Using the output embedding to improve
 * language models, arXiv 1608.05859).
 *
 * {@snippet :
 * TransformerConfig config = TransformerConfig.of(256, 8).keyHeads(2).rmsNorm().swiGlu(688).noBias()
 *     .positions(Positions.rotary(2048, 32));
 * TransformerLm model = new TransformerLm(new Embedding(32_000, 256), config, 6);
 * }
 */
public final class TransformerLm extends Module {
  private final Embedding embedding;
  private final TransformerEncoder layers;

  /**
   * A model.
   *
   * @param embedding of the words, as wide as the layers; with positions, unless the layers have
   *     them
   * @param config of layers, whose attention is made causal
   * @param layers how many
   */
  public TransformerLm(Embedding embedding, TransformerConfig config, int layers) {
    long width = embedding.table().shape()[1];
    if (width != config.width()) {
      throw new IllegalArgumentException(
          "the embedding is %d wide, expected the width of the layers, %d"
              .formatted(width, config.width()));
    }
    this.embedding = child("embedding", embedding);
    this.layers = child("decoder", new TransformerEncoder(config.causal(), layers));
  }

  /** Words that it knows. */
  public int vocabulary() {
    return Math.toIntExact(embedding.table().shape()[0]);
  }

  /**
   * Scores of what comes next, before any softmax.
   *
   * @param tokens int32 [B, S], whole sequences
   * @return [B, S, vocabulary]
   */
  public Variable forward(Variable tokens) {
    return scores(layers.forward(embedding.forward(tokens), Operands.none()));
  }

  /**
   * The same for tokens whose sequences begin in a cache, which gets their keys and values. For
   * inference.
   *
   * @param tokens int32 [B, S], or packed [T]
   * @param positionIds int32 of the same shape: the places of the tokens in their sequences
   * @param cache where they belong
   * @param wanted int32 [n]: of which tokens scores are wanted, counted as if they were packed;
   *     null for all
   * @return [B, S, vocabulary], packed [T, vocabulary]; [n, vocabulary]
   */
  public Variable forward(
      Variable tokens, Variable positionIds, CachedRows cache, Variable wanted) {
    boolean packed = tokens.shape().length == 1;
    Variable ids = packed ? tokens.reshape(1, -1) : tokens;
    Variable at = packed ? positionIds.reshape(1, -1) : positionIds;
    Variable rows = embedding.forward(ids, embedding.hasPositions() ? at : null);
    Variable out =
        layers.forward(
            packed ? rows.reshape(-1, rows.size(-1)) : rows,
            Operands.of("position_ids", at),
            cache);
    return scores(wanted == null ? out : Functions.select(out.reshape(-1, out.size(-1)), wanted));
  }

  private Variable scores(Variable rows) {
    return Functions.linear(rows, embedding.table(), null);
  }
}

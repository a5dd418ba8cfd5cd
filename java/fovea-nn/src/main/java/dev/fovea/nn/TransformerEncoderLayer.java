package dev.fovea.nn;

/**
 * A layer of a transformer's encoder: self-attention and a feed-forward layer, each added to the
 * residual stream (Vaswani et al., Attention is all you need, 2017, arXiv 1706.03762, section 3.1),
 * normalized before (Xiong et al., On layer normalization in the transformer architecture, arXiv
 * 2002.04745) or behind. With causal attention it is one of a decoder that has no encoder.
 */
public final class TransformerEncoderLayer extends TransformerLayer {
  private final MultiHeadAttention attention;
  private final Norm attentionNorm;
  private final FeedForward feedForward;
  private final Norm feedForwardNorm;

  /** One layer. */
  public TransformerEncoderLayer(TransformerConfig config) {
    super(config);
    attentionNorm = child("attention_norm", config.norm());
    attention = child("attention", config.selfAttention(false));
    feedForwardNorm = child("feed_forward_norm", config.norm());
    feedForward = child("feed_forward", config.feedForward());
  }

  /** Its attention. */
  public MultiHeadAttention attention() {
    return attention;
  }

  /**
   * From [B, S, width], or packed [T, width], to the same.
   *
   * @param more what self-attention takes beside, as {@link MultiHeadAttention#forward}
   */
  public Variable forward(Variable x, Operands more) {
    Variable stream =
        behind(x, attentionNorm, (in, dropout) -> attention.addTo(x, in, more, dropout));
    return fed(stream, feedForwardNorm, feedForward);
  }

  /**
   * New rows of sequences whose earlier ones are in a cache, as {@link
   * MultiHeadAttention#forward(Variable, Operands, CachedRows, int)}.
   */
  public Variable forward(Variable x, Operands more, CachedRows cache, int layer) {
    Variable stream =
        behind(
            x, attentionNorm, (in, dropout) -> attention.addTo(x, in, more, cache, layer, dropout));
    return fed(stream, feedForwardNorm, feedForward);
  }
}

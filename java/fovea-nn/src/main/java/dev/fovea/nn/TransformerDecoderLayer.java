package dev.fovea.nn;

/**
 * A layer of a transformer's decoder: causal self-attention, attention to an encoder's output, the
 * memory, and a feed-forward layer (Vaswani et al., Attention is all you need, 2017, arXiv
 * 1706.03762, section 3.1).
 */
public final class TransformerDecoderLayer extends TransformerLayer {
  private final MultiHeadAttention self;
  private final Norm selfNorm;
  private final MultiHeadAttention cross;
  private final Norm crossNorm;
  private final FeedForward feedForward;
  private final Norm feedForwardNorm;

  /** One layer. */
  public TransformerDecoderLayer(TransformerConfig config) {
    super(config);
    selfNorm = child("self_attention_norm", config.norm());
    self = child("self_attention", config.selfAttention(true));
    crossNorm = child("cross_attention_norm", config.norm());
    cross = child("cross_attention", config.crossAttention());
    feedForwardNorm = child("feed_forward_norm", config.norm());
    feedForward = child("feed_forward", config.feedForward());
  }

  /** Its attention to the rows before. */
  public MultiHeadAttention selfAttention() {
    return self;
  }

  /** Its attention to the memory. */
  public MultiHeadAttention crossAttention() {
    return cross;
  }

  /**
   * From [B, S, width] to the same.
   *
   * @param memory [B, Sk, width]
   * @param more what self-attention takes beside, as {@link MultiHeadAttention#forward}
   * @param ofMemory what cross-attention takes beside: {@code "key_lengths"} of the memory
   */
  public Variable forward(Variable x, Variable memory, Operands more, Operands ofMemory) {
    Variable own = behind(x, selfNorm, (in, dropout) -> self.addTo(x, in, more, dropout));
    Variable stream =
        behind(own, crossNorm, (in, dropout) -> cross.addTo(own, in, memory, ofMemory, dropout));
    return fed(stream, feedForwardNorm, feedForward);
  }
}

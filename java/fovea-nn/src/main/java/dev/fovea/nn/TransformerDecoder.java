package dev.fovea.nn;

/**
 * A stack of {@link TransformerDecoderLayer}s, {@code layers.0} and so on; where they normalize
 * before their parts, {@code norm} is behind the last.
 */
public final class TransformerDecoder extends TransformerStack<TransformerDecoderLayer> {
  /** Layers with parameters of their own. */
  public TransformerDecoder(TransformerConfig config, int layers) {
    this(config, layers, layers);
  }

  /**
   * Layers that share parameters: {@code distinct} of them one after the other, and then these
   * again (Lan et al., ALBERT, arXiv 1909.11942).
   */
  public TransformerDecoder(TransformerConfig config, int layers, int distinct) {
    super(config, layers, distinct, TransformerDecoderLayer::new);
  }

  /**
   * From [B, S, width] to the same.
   *
   * @param memory [B, Sk, width], what an encoder gave
   * @param more what self-attention of every layer takes beside
   * @param ofMemory what cross-attention takes beside: {@code "key_lengths"} of the memory
   */
  public Variable forward(Variable x, Variable memory, Operands more, Operands ofMemory) {
    return through(x, (layer, stream) -> layer.forward(stream, memory, more, ofMemory));
  }
}

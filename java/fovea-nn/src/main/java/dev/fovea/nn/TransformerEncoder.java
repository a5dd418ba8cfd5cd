package dev.fovea.nn;

/**
 * A stack of {@link TransformerEncoderLayer}s, {@code layers.0} and so on; where they normalize
 * before their parts, {@code norm} is behind the last.
 */
public final class TransformerEncoder extends TransformerStack<TransformerEncoderLayer> {
  /** Layers with parameters of their own. */
  public TransformerEncoder(TransformerConfig config, int layers) {
    this(config, layers, layers);
  }

  /**
   * Layers that share parameters: {@code distinct} of them one after the other, and then these
   * again (Lan et al., ALBERT, arXiv 1909.11942).
   */
  public TransformerEncoder(TransformerConfig config, int layers, int distinct) {
    super(config, layers, distinct, TransformerEncoderLayer::new);
  }

  /**
   * From [B, S, width], or packed [T, width], to the same.
   *
   * @param more what self-attention of every layer takes beside
   */
  public Variable forward(Variable x, Operands more) {
    return through(x, (layer, stream) -> layer.forward(stream, more));
  }
}

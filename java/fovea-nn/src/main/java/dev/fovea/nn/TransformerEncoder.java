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

  /**
   * New rows of sequences whose earlier ones are in a cache, which has as many layers as this: as
   * {@link MultiHeadAttention#forward(Variable, Operands, CachedRows, int)}.
   */
  public Variable forward(Variable x, Operands more, CachedRows cache) {
    if (cache.layers().size() != layers().size()) {
      throw new IllegalArgumentException(
          "the cache has %d layers, expected %d".formatted(cache.layers().size(), layers().size()));
    }
    int[] next = {0};
    return through(x, (layer, stream) -> layer.forward(stream, more, cache, next[0]++));
  }
}

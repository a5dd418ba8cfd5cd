package dev.fovea.nn;

import dev.fovea.Activation;
import dev.fovea.Attention;
import dev.fovea.DType;

/**
 * Causal self-attention of a segment to itself and to the rows before it, with keys of distances
 * (Dai et al., Transformer-XL, 2019, arXiv 1901.02860, section 3.3).
 */
final class RelativeAttention extends Module {
  private final int width;
  private final int heads;
  private final int headDim;
  private final Attention attention;
  private final Linear query;
  private final Linear keyValue;
  private final Linear position;
  private final Parameter contentBias; // u
  private final Parameter positionBias; // v
  private final Linear out;

  RelativeAttention(MultiHeadAttention.Sizes sizes, Attention attention) {
    this.width = sizes.width();
    this.heads = sizes.heads();
    this.headDim = sizes.headDim();
    this.attention = attention;
    int all = heads * headDim;
    query = child("query", new Linear(width, all, false));
    keyValue = child("key_value", new Linear(width, 2 * all, false));
    position = child("position", new Linear(width, all, false));
    contentBias = parameter("content_bias", Initializer.normal(0.02), heads, headDim);
    positionBias = parameter("position_bias", Initializer.normal(0.02), heads, headDim);
    out = child("out", new Linear(all, width, false));
  }

  /**
   * Added to {@code residual}, what {@code dropout} leaves of it.
   *
   * @param x [B, S, width]
   * @param rows what precedes x, and x, [B, M + S, width]
   */
  Variable addTo(Variable residual, Variable x, Variable rows, Activation dropout) {
    Tape tape = x.tape();
    long batch = x.size(0);
    long keys = rows.size(1);
    Variable queries = query.forward(x).reshape(batch, x.size(1), heads, headDim);
    Variable[] pairs = keyValue.forward(rows).reshape(batch, keys, 2, heads, headDim).unbind(2);
    record Distances(long keys, int width, DType dtype) {}
    Variable distances =
        tape.constant(
            new Distances(keys, width, x.dtype()),
            scope -> Embedding.sinusoids(scope, x.dtype(), Math.toIntExact(keys), width));
    Operands more =
        Operands.of("position_keys", position.forward(distances).reshape(keys, heads, headDim))
            .with("content_bias", tape.exactParameter(contentBias))
            .with("position_bias", tape.exactParameter(positionBias));
    Attention spec = isTraining() ? attention : attention.eval();
    Variable found = Functions.attention(spec, queries, pairs[0], pairs[1], more);
    return out.addTo(residual, found.reshape(batch, x.size(1), -1), dropout);
  }
}

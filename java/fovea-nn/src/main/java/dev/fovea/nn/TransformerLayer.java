package dev.fovea.nn;

import dev.fovea.Activation;
import java.util.function.BiFunction;

/** What the layers of transformers have alike: a residual stream with parts beside it. */
abstract sealed class TransformerLayer extends Module
    permits TransformerEncoderLayer, TransformerDecoderLayer, TransformerXl.Layer {
  private final boolean postNorm;
  private final Activation residual;

  TransformerLayer(TransformerConfig config) {
    postNorm = config.isPostNorm();
    residual = config.residual();
  }

  /**
   * The stream behind a part.
   *
   * @param part from what it reads and a way of dropping to the sum of the stream and what it
   *     computes
   */
  final Variable behind(
      Variable stream, Norm norm, BiFunction<Variable, Activation, Variable> part) {
    Activation dropout = isTraining() ? residual : residual.eval();
    Variable sum = part.apply(before(stream, norm), dropout);
    return postNorm ? norm.forward(sum) : sum;
  }

  /** What a part reads of rows of the stream. */
  final Variable before(Variable rows, Norm norm) {
    return postNorm ? rows : norm.forward(rows);
  }

  final Variable fed(Variable stream, Norm norm, FeedForward feedForward) {
    return behind(stream, norm, (x, dropout) -> feedForward.addTo(stream, x, dropout));
  }
}

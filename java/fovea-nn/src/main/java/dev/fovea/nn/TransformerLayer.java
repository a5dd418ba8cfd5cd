package dev.fovea.nn;

import dev.fovea.Activation;
import java.util.function.BiFunction;

/** What the layers of encoders and decoders have alike: a residual stream with parts beside it. */
abstract sealed class TransformerLayer extends Module
    permits TransformerEncoderLayer, TransformerDecoderLayer {
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
    return postNorm
        ? norm.forward(part.apply(stream, dropout))
        : part.apply(norm.forward(stream), dropout);
  }

  final Variable fed(Variable stream, Norm norm, FeedForward feedForward) {
    return behind(stream, norm, (x, dropout) -> feedForward.addTo(stream, x, dropout));
  }
}

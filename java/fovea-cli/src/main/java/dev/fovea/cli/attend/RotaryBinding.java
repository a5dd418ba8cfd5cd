package dev.fovea.cli.attend;

import dev.fovea.RotaryBackward;
import dev.fovea.RotaryCall;
import dev.fovea.RotaryEmbedding;

/** {@link RotaryEmbedding}. */
final class RotaryBinding implements CallBinding {

  private final RotaryEmbedding embedding;
  private RotaryCall call;

  RotaryBinding(Settings settings) {
    embedding =
        settings.interleaved() ? RotaryEmbedding.interleaved() : RotaryEmbedding.halfSplit();
  }

  @Override
  public RotaryCall call(Operands operands) {
    call =
        embedding
            .call(operands.get("x"), operands.get("cosines"), operands.get("sines"))
            .positions(operands.get("positions"));
    return call;
  }

  @Override
  public RotaryBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout")).dx(operands.get("dx"));
  }
}

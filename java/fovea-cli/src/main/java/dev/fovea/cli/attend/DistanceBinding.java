package dev.fovea.cli.attend;

import dev.fovea.DistanceAttention;
import dev.fovea.DistanceBackward;
import dev.fovea.DistanceCall;

/** {@link DistanceAttention}. */
final class DistanceBinding extends SequenceBinding<DistanceCall, DistanceBackward> {

  private final DistanceAttention attention;

  DistanceBinding(Settings settings) {
    super(settings);
    attention = settings.masks(DistanceAttention.builder()).build();
  }

  @Override
  DistanceCall bind(Operands operands) {
    return attention.call(
        operands.get("query"),
        operands.get("key"),
        operands.get("value"),
        operands.get("bandwidth"));
  }

  @Override
  DistanceBackward gradients(DistanceCall call, Operands operands) {
    return call.gradients(operands.get("dout")).dbandwidth(operands.get("dbandwidth"));
  }
}

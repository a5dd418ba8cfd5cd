package dev.fovea.cli.attend;

import dev.fovea.DistanceAttention;
import dev.fovea.DistanceBackward;
import dev.fovea.DistanceCall;

/** {@link DistanceAttention}. */
final class DistanceBinding extends SequenceBinding<DistanceCall, DistanceBackward> {

  private final DistanceAttention attention;

  DistanceBinding(Settings settings) {
    super(settings);
    if (!settings.localLinear() && settings.ridge() != 0) {
      throw new IllegalArgumentException(
          "ridge is " + settings.ridge() + ", and only a local linear fit has one");
    }
    DistanceAttention.Builder builder = settings.masks(DistanceAttention.builder());
    attention = (settings.localLinear() ? builder.localLinear(settings.ridge()) : builder).build();
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

package dev.fovea.cli.attend;

import dev.fovea.AdditiveAttention;
import dev.fovea.AdditiveBackward;
import dev.fovea.AdditiveCall;

/** {@link AdditiveAttention}. */
final class AdditiveBinding extends SequenceBinding<AdditiveCall, AdditiveBackward> {

  private final AdditiveAttention attention;

  AdditiveBinding(Settings settings) {
    super(settings);
    attention = settings.masks(AdditiveAttention.builder()).build();
  }

  @Override
  AdditiveCall bind(Operands operands) {
    return attention
        .call(
            operands.get("query"),
            operands.get("key"),
            operands.get("value"),
            operands.get("weight"))
        .bias(operands.get("bias"));
  }

  @Override
  AdditiveBackward gradients(AdditiveCall call, Operands operands) {
    return call.gradients(operands.get("dout"))
        .dweight(operands.get("dweight"))
        .dbias(operands.get("dbias"));
  }
}

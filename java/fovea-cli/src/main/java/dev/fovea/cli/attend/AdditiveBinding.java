package dev.fovea.cli.attend;

import dev.fovea.AdditiveAttention;
import dev.fovea.AdditiveBackward;
import dev.fovea.AdditiveCall;

/** {@link AdditiveAttention}. */
final class AdditiveBinding implements Binding {

  private final AdditiveAttention attention;
  private AdditiveCall call;

  AdditiveBinding(Settings settings) {
    attention = settings.masks(AdditiveAttention.builder()).build();
  }

  @Override
  public AdditiveCall call(Operands operands) {
    call =
        attention
            .call(
                operands.get("query"),
                operands.get("key"),
                operands.get("value"),
                operands.get("weight"))
            .bias(operands.get("bias"));
    return call;
  }

  @Override
  public AdditiveBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dweight(operands.get("dweight"))
        .dbias(operands.get("dbias"));
  }
}

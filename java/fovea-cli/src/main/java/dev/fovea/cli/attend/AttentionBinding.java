package dev.fovea.cli.attend;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;

/** {@link Attention}. */
final class AttentionBinding implements Binding {

  private final Attention attention;
  private AttentionCall call;

  AttentionBinding(Settings settings) {
    Attention.Builder builder = settings.masks(Attention.builder());
    if (settings.scale() != null) {
      builder.scale(settings.scale());
    }
    attention = builder.softcap(settings.softcap()).allowTf32(settings.allowTf32()).build();
  }

  @Override
  public AttentionCall call(Operands operands) {
    call =
        attention
            .call(operands.get("query"), operands.get("key"), operands.get("value"))
            .bias(operands.get("bias"))
            .alibiSlopes(operands.get("alibi_slopes"))
            .sinks(operands.get("sinks"));
    return call;
  }

  @Override
  public AttentionBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dbias(operands.get("dbias"))
        .dalibiSlopes(operands.get("dalibi_slopes"))
        .dsinks(operands.get("dsinks"));
  }
}

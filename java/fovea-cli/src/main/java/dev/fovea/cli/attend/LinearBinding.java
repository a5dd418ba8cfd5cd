package dev.fovea.cli.attend;

import dev.fovea.Attention.Alignment;
import dev.fovea.LinearAttention;
import dev.fovea.LinearBackward;
import dev.fovea.LinearCall;

/** {@link LinearAttention}. */
final class LinearBinding extends SequenceBinding<LinearCall, LinearBackward> {

  private final LinearAttention attention;

  LinearBinding(Settings settings) {
    super(settings);
    if (settings.causal() == Alignment.TOP_LEFT) {
      throw new IllegalArgumentException(
          "causal is top-left, expected bottom-right: a state ends with the last key");
    }
    LinearAttention.Builder builder =
        LinearAttention.builder()
            .causal(settings.causal() != null)
            .featureMap(settings.featureMap())
            .normalised(settings.normalised());
    attention = (settings.scale() == null ? builder : builder.scale(settings.scale())).build();
  }

  @Override
  LinearCall bind(Operands operands) {
    return attention
        .call(operands.get("query"), operands.get("key"), operands.get("value"))
        .decay(operands.get("decay"))
        .keyDecay(operands.get("key_decay"))
        .beta(operands.get("beta"))
        .initialState(operands.get("initial_state"))
        .initialSum(operands.get("initial_sum"))
        .finalState(operands.get("final_state"))
        .finalSum(operands.get("final_sum"));
  }

  @Override
  LinearBackward gradients(LinearCall call, Operands operands) {
    return call.gradients(operands.get("dout"))
        .ddecay(operands.get("ddecay"))
        .dkeyDecay(operands.get("dkey_decay"))
        .dbeta(operands.get("dbeta"))
        .dinitialState(operands.get("dinitial_state"))
        .dinitialSum(operands.get("dinitial_sum"));
  }
}

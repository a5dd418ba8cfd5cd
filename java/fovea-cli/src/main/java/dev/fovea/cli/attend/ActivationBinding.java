package dev.fovea.cli.attend;

import dev.fovea.Activation;
import dev.fovea.ActivationBackward;
import dev.fovea.ActivationCall;

/** {@link Activation}. */
final class ActivationBinding implements CallBinding {

  private final Activation activation;
  private final Settings settings;
  private ActivationCall call;

  ActivationBinding(Settings settings) {
    this.settings = settings;
    activation = Activation.of(settings.function()).dropout(settings.dropout());
  }

  @Override
  public ActivationCall call(Operands operands) {
    call =
        activation
            .call(operands.get("x"))
            .bias(operands.get("bias"))
            .gate(operands.get("gate"))
            .residual(operands.get("residual"))
            .dropoutSeed(settings.seed(), settings.offset());
    return call;
  }

  @Override
  public ActivationBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dx(operands.get("dx"))
        .dbias(operands.get("dbias"))
        .dgate(operands.get("dgate"))
        .dresidual(operands.get("dresidual"));
  }
}

package dev.fovea.cli.attend;

import dev.fovea.Normalization;
import dev.fovea.NormalizationBackward;
import dev.fovea.NormalizationCall;
import java.util.Objects;

/** {@link Normalization}. */
final class NormBinding implements CallBinding {

  private final Normalization normalization;
  private NormalizationCall call;

  NormBinding(Settings settings) {
    double epsilon = Objects.requireNonNullElse(settings.epsilon(), 1e-5);
    normalization = settings.centered() ? Normalization.layer(epsilon) : Normalization.rms(epsilon);
  }

  @Override
  public NormalizationCall call(Operands operands) {
    call =
        normalization
            .call(operands.get("x"))
            .weight(operands.get("weight"))
            .bias(operands.get("bias"))
            .mean(operands.get("mean"))
            .inverse(operands.get("inverse"));
    return call;
  }

  @Override
  public NormalizationBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout"))
        .dx(operands.get("dx"))
        .dweight(operands.get("dweight"))
        .dbias(operands.get("dbias"));
  }
}

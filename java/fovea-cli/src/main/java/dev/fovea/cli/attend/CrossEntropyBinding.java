package dev.fovea.cli.attend;

import dev.fovea.CrossEntropy;
import dev.fovea.CrossEntropyBackward;
import dev.fovea.CrossEntropyCall;

/** {@link CrossEntropy}. */
final class CrossEntropyBinding implements CallBinding {

  private final CrossEntropy loss;
  private CrossEntropyCall call;

  CrossEntropyBinding(Settings settings) {
    loss = CrossEntropy.create().labelSmoothing(settings.labelSmoothing());
  }

  @Override
  public CrossEntropyCall call(Operands operands) {
    call =
        loss.call(operands.get("logits"), operands.get("targets"))
            .classWeight(operands.get("class_weight"))
            .lse(operands.get("lse"));
    return call;
  }

  @Override
  public boolean saves(String written, Operands operands) {
    return written.equals("lse");
  }

  @Override
  public CrossEntropyBackward gradients(Operands operands) {
    return call.gradients(operands.get("dout")).dlogits(operands.get("dlogits"));
  }
}

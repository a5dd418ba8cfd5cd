package dev.fovea.cli.attend;

import dev.fovea.OperationBackward;
import dev.fovea.OptimizerStep;
import dev.fovea.OptimizerStepCall;
import dev.fovea.cli.attend.Settings.Step;
import java.util.Objects;

/** {@link OptimizerStep}. */
final class OptimizerBinding implements CallBinding {

  private final OptimizerStep step;

  OptimizerBinding(Settings settings) {
    Step s = settings.step();
    if (s.rule() != Settings.Rule.ADAMW && settings.epsilon() != null) {
      throw new IllegalArgumentException("--epsilon is for --rule adamw");
    }
    if (s.rule() == Settings.Rule.SGD && s.beta2() != null) {
      throw new IllegalArgumentException("--beta2 is for --rule adamw and lion");
    }
    OptimizerStep rule =
        switch (s.rule()) {
          case SGD -> OptimizerStep.sgd(or(s.beta1(), 0));
          case ADAMW ->
              OptimizerStep.adamw(
                  or(s.beta1(), 0.9), or(s.beta2(), 0.999), or(settings.epsilon(), 1e-8));
          case LION -> OptimizerStep.lion(or(s.beta1(), 0.9), or(s.beta2(), 0.99));
        };
    rule = rule.weightDecay(s.weightDecay());
    step = s.nesterov() ? rule.nesterov() : rule;
  }

  private static double or(Double value, double usual) {
    return Objects.requireNonNullElse(value, usual);
  }

  @Override
  public OptimizerStepCall call(Operands operands) {
    return step.call(operands.get("gradient"), operands.get("rates"), operands.get("parameter"))
        .mean(operands.get("mean"))
        .square(operands.get("square"));
  }

  @Override
  public OperationBackward<?> gradients(Operands operands) {
    throw new UnsupportedOperationException("optimizer has no backward pass");
  }
}

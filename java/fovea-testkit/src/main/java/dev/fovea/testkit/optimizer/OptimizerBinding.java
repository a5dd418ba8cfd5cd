package dev.fovea.testkit.optimizer;

import dev.fovea.OptimizerStep;
import dev.fovea.testkit.OperationRun;
import dev.fovea.testkit.optimizer.OptimizerCase.Numbers;

/** A case as the public API has it. */
final class OptimizerBinding {

  private OptimizerBinding() {}

  static OptimizerStep step(OptimizerCase c) {
    Numbers n = c.numbers();
    OptimizerStep step =
        switch (c.rule()) {
          case SGD -> OptimizerStep.sgd(0);
          case MOMENTUM -> OptimizerStep.sgd(n.beta1());
          case NESTEROV -> OptimizerStep.sgd(n.beta1()).nesterov();
          case ADAMW -> OptimizerStep.adamw(n.beta1(), n.beta2(), n.epsilon());
          case LION -> OptimizerStep.lion(n.beta1(), n.beta2());
        };
    return step.weightDecay(n.weightDecay()).outDType(c.outDType());
  }

  static OperationRun.Bound bind(OptimizerCase c, OperationRun run) {
    return new OperationRun.Bound(
        step(c)
            .call(run.input("gradient"), run.input("rates"), run.output("parameter"))
            .mean(run.output("mean"))
            .square(run.output("square"))
            .out(run.output("out")),
        null);
  }
}

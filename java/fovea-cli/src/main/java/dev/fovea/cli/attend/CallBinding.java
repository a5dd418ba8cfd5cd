package dev.fovea.cli.attend;

import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;

/** The Java class of an operation of {@code fovea.h}. */
interface CallBinding extends Binding {

  /** A call with all that the operation reads and writes but out. */
  OperationCall<?> call(Operands operands);

  /** The backward pass of that call, with its gradients. */
  OperationBackward<?> gradients(Operands operands);

  @Override
  default Work forward(Operands operands, Settings settings) {
    OperationCall<?> call = call(operands).out(operands.get("out")).parallelism(settings.threads());
    return new Work(call.plan().kernel(), call::run);
  }

  @Override
  default Work backward(Operands operands, Settings settings) {
    OperationBackward<?> backward = gradients(operands).deterministic(settings.deterministic());
    return new Work(backward.plan().kernel(), backward::run);
  }
}

package dev.fovea.cli.attend;

import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;

/** Tensors, by the names of a declaration, given to the Java class of an operation. */
interface Binding {

  /** A call with all that this operation reads and others do not. */
  OperationCall<?> call(Operands operands);

  /** The backward pass of that call, with the gradients of what others do not read. */
  OperationBackward<?> gradients(Operands operands);
}

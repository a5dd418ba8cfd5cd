package dev.fovea.cli.attend;

import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;

/** Tensors, by the names of a declaration, given to the Java class of an operation. */
interface Binding {

  /** A call with all that the operation reads and writes but out. */
  OperationCall<?> call(Operands operands);

  /**
   * True if the backward pass of a call with these reads that, which its forward writes if asked.
   */
  default boolean saves(String written, Operands operands) {
    return false;
  }

  /** The backward pass of that call, with its gradients. */
  OperationBackward<?> gradients(Operands operands);
}

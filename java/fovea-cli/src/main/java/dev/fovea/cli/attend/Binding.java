package dev.fovea.cli.attend;

/** Tensors, by the names of a declaration, given to the Java class of a mechanism. */
interface Binding {

  /**
   * A pass that is planned.
   *
   * @param kernel that runs
   * @param run computes
   */
  record Work(String kernel, Runnable run) {}

  /** The forward pass, with all that it reads and writes. */
  Work forward(Operands operands, Settings settings);

  /**
   * True if the backward pass of a call with these reads that, which its forward writes if asked.
   */
  default boolean saves(String written, Operands operands) {
    return false;
  }

  /** The backward pass of that forward, with its gradients. */
  Work backward(Operands operands, Settings settings);
}

package dev.fovea.nn;

import java.util.List;

/**
 * An operation that a tape has recorded, with the memory of what it makes: run again in every step
 * that records the same.
 */
abstract class Node {
  private final Object what;
  private final List<Variable> inputs;

  /** {@code what} is computed of {@code inputs}: another node with equal ones computes the same. */
  Node(Object what, List<Variable> inputs) {
    this.what = what;
    this.inputs = inputs;
  }

  final boolean is(Object what, List<Variable> inputs) {
    if (inputs.size() != this.inputs.size() || !what.equals(this.what)) {
      return false;
    }
    for (int i = 0; i < inputs.size(); i++) {
      if (inputs.get(i) != this.inputs.get(i)) {
        return false;
      }
    }
    return true;
  }

  final List<Variable> inputs() {
    return inputs;
  }

  /** True if a loss may be differentiated by something that this is computed from. */
  final boolean isDifferentiable() {
    return inputs.stream().anyMatch(it -> it != null && it.isDifferentiable());
  }

  abstract List<Variable> outputs();

  /** Computes, in the step {@code step} of its tape. */
  abstract void run(Tape.Step step);

  /** Adds to a backward pass what the inputs' gradients get from those of the outputs. */
  abstract void differentiate(Gradients gradients);

  /** Gives its memory back. */
  abstract void free(Buffers buffers);
}

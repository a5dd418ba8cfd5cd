package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.Buffers.Buffer;
import java.util.List;

/** What a step has from outside. */
final class InputNode extends Node {
  private final Buffer buffer; // null: somebody else's memory
  private final Variable variable;

  /** Memory for it. */
  InputNode(Tape tape, Object what, DType dtype, long[] shape) {
    super(what, List.of());
    buffer = tape.takeZeros(dtype, shape);
    variable = Variable.of(tape, buffer.tensor(), false);
  }

  /** Somebody else's. */
  InputNode(Tape tape, Object what, Tensor tensor) {
    super(what, List.of());
    buffer = null;
    variable = Variable.of(tape, tensor, false);
  }

  @Override
  List<Variable> outputs() {
    return List.of(variable);
  }

  @Override
  void run(Tape.Step step) {}

  @Override
  void differentiate(Gradients gradients) {}

  @Override
  void free(Buffers buffers) {
    if (buffer != null) {
      buffers.give(buffer);
    }
  }
}

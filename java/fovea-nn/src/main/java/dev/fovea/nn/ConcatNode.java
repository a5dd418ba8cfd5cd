package dev.fovea.nn;

import dev.fovea.Tensor;
import dev.fovea.nn.Buffers.Buffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Tensors one behind the other along a dimension. */
final class ConcatNode extends Node {
  private final int dim;
  private final Buffer memory;
  private final Variable out;
  private final List<Runnable> copies = new ArrayList<>();

  ConcatNode(Object what, int dim, List<Variable> inputs) {
    super(what, inputs);
    this.dim = dim;
    Variable first = inputs.getFirst();
    long[] shape = first.shape();
    for (Variable input : inputs.subList(1, inputs.size())) {
      check(first, input);
      shape[dim] += input.size(dim);
    }
    memory = first.tape().take(first.dtype(), shape);
    out = Variable.of(first.tape(), memory.tensor(), isDifferentiable());
    long from = 0;
    for (Variable input : inputs) {
      copies.add(Transfer.copy(input.value(), part(out.value(), from, input)));
      from += input.size(dim);
    }
  }

  private void check(Variable first, Variable other) {
    long[] like = other.shape();
    boolean fits = like.length == first.shape().length && other.dtype() == first.dtype();
    if (fits) {
      like[dim] = first.size(dim);
    }
    if (!fits || !Arrays.equals(like, first.shape())) {
      throw new IllegalArgumentException(
          "%s does not fit behind %s along dimension %d".formatted(other, first, dim));
    }
  }

  private Tensor part(Tensor all, long from, Variable of) {
    return all.slice(dim, from, from + of.size(dim));
  }

  @Override
  List<Variable> outputs() {
    return List.of(out);
  }

  @Override
  void run(Tape.Step step) {
    copies.forEach(Runnable::run);
  }

  @Override
  void differentiate(Gradients gradients) {
    Tensor dout = gradients.of(out);
    long from = 0;
    for (Variable input : inputs()) {
      if (Gradients.isWanted(input)) {
        gradients.add(input, part(dout, from, input));
      }
      from += input.size(dim);
    }
  }

  @Override
  void free(Buffers buffers) {
    buffers.give(memory);
  }
}

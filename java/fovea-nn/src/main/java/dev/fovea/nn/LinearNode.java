package dev.fovea.nn;

import dev.fovea.Tensor;
import dev.fovea.nn.Buffers.Buffer;
import dev.fovea.nn.Products.Factor;
import java.util.Arrays;
import java.util.List;

/** {@code x W^T + b}, over the last dimension of x. */
final class LinearNode extends Node {
  private final Variable x;
  private final Variable weight; // [out, in]
  private final Variable bias; // null: none
  private final Buffer memory;
  private final Variable out;
  private final Products products;
  private final Products.Product product;

  LinearNode(Object what, List<Variable> inputs) {
    super(what, inputs);
    x = inputs.get(0);
    weight = inputs.get(1);
    bias = inputs.get(2);
    requireRows(x);
    requireType(x, weight);
    Tape tape = x.tape();
    long[] shape = x.shape();
    shape[shape.length - 1] = weight.size(0);
    memory = tape.take(x.dtype(), shape);
    out = Variable.of(tape, memory.tensor(), isDifferentiable());
    products = tape.products();
    product =
        products.bind(
            Factor.of(rows(x.value())),
            Factor.transposed(weight.value()),
            rows(out.value()),
            bias == null ? null : bias.value(),
            false);
  }

  private static Tensor rows(Tensor tensor) {
    return tensor.reshape(-1, tensor.size(tensor.rank() - 1));
  }

  @Override
  List<Variable> outputs() {
    return List.of(out);
  }

  @Override
  void run(Tape.Step step) {
    product.run();
  }

  @Override
  void differentiate(Gradients gradients) {
    Tensor dout = rows(gradients.of(out));
    if (Gradients.isWanted(weight)) {
      Gradients.Target to = gradients.into(weight);
      gradients.then(
          products.bind(
              Factor.transposed(dout),
              Factor.of(rows(x.value())),
              to.tensor(),
              null,
              to.isAdded()));
    }
    if (Gradients.isWanted(bias)) {
      Gradients.Target to = gradients.into(bias);
      Tensor any = bias.parameter().value();
      gradients.then(Transfer.sumColumns(dout, any, to.tensor(), to.isAdded()));
    }
    if (Gradients.isWanted(x)) {
      Gradients.Target to = gradients.into(x);
      gradients.then(
          products.bind(
              Factor.of(dout), Factor.of(weight.value()), rows(to.tensor()), null, to.isAdded()));
    }
  }

  @Override
  void free(Buffers buffers) {
    product.close();
    buffers.give(memory);
  }

  private static void requireRows(Variable x) {
    Tensor rows = rows(x.value());
    boolean contiguous = rows.size(1) == 1 || rows.stride(1) == 1;
    if (!contiguous || (rows.size(0) > 1 && rows.stride(0) < rows.size(1))) {
      throw new IllegalArgumentException(
          "%s has rows that are not contiguous or overlap: Functions.contiguous copies them"
              .formatted(x));
    }
  }

  private static void requireType(Variable x, Variable weight) {
    if (x.dtype() != weight.dtype()) {
      throw new IllegalArgumentException(
          "x is %s, expected %s, in which the model computes with %s"
              .formatted(x.dtype(), weight.dtype(), weight.parameter()));
    }
  }

  static void check(Variable x, Parameter weight, Parameter bias) {
    long in = weight.shape()[1];
    if (x.shape().length == 0 || x.size(-1) != in) {
      throw new IllegalArgumentException(
          "x is %s, expected a last dimension of %d, the columns of %s"
              .formatted(Arrays.toString(x.shape()), in, weight));
    }
    if (bias != null && !Arrays.equals(bias.shape(), new long[] {weight.shape()[0]})) {
      throw new IllegalArgumentException(bias + " does not fit to " + weight);
    }
  }
}

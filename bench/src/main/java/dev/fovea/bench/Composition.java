package dev.fovea.bench;

import org.bytedeco.pytorch.Tensor;

/** A mechanism as a user of libtorch writes it. */
@FunctionalInterface
interface Composition {

  /** A new tensor, from operands in the order of {@link ComposedSide#operands}. */
  Tensor compute(Tensor[] operands);
}

package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;

/** A problem of a mechanism for which libtorch has no operation: its user composes it from some. */
interface ComposedProblem {

  Pass pass();

  /** Of our operands; the composition is in float32. */
  DType dtype();

  /** Sizes, in words: what tables show. */
  String shape();

  /** The same problem in another dtype. */
  ComposedProblem as(DType other);

  /** Allocates the operands of our side; of a backward pass also does the forward pass. */
  ComposedSide<?> open();

  /** What the pass needs of the machine, however it is computed. */
  Floor floor();

  /** About the most memory that the composition has at once. */
  double composedBytes();

  /** How far outputs may be from those of the composition: root mean squares, relative. */
  double differenceAllowed();
}

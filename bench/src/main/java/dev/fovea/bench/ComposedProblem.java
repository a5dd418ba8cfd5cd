package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;

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

  /** The same where outputs are sums over a sequence, whose terms cancel in the backward pass. */
  default double differenceOfSums(int sequence) {
    boolean backward = pass() == Pass.BACKWARD;
    double sums = 0x1p-24 * Math.sqrt(sequence) * (backward ? 4 : 1);
    double roundings = dtype() == DType.FLOAT32 ? 0 : backward ? 4 : 2;
    return 1e-5 + sums + roundings * Rounding.unit(dtype());
  }
}

package dev.fovea.nn;

import dev.fovea.Tensor;

/**
 * Matrix products of a device: {@code to = A B}, or {@code to = to + A B}. What is multiplied is
 * bound once and multiplied again and again.
 */
interface Products {
  /**
   * A factor, a matrix whose rows are contiguous.
   *
   * @param isTransposed whether its transpose is the factor
   */
  record Factor(Tensor matrix, boolean isTransposed) {
    static Factor of(Tensor matrix) {
      return new Factor(matrix, false);
    }

    static Factor transposed(Tensor matrix) {
      return new Factor(matrix, true);
    }

    int rows() {
      return Math.toIntExact(matrix.size(isTransposed ? 1 : 0));
    }

    int columns() {
      return Math.toIntExact(matrix.size(isTransposed ? 0 : 1));
    }
  }

  /**
   * A product that is ready to be computed.
   *
   * @param bias a vector that is added to every row; null for none; not with {@code isAdded}
   * @param isAdded whether it is added to what is there
   */
  Runnable bind(Factor a, Factor b, Tensor to, Tensor bias, boolean isAdded);

  /** Those of the device that a tape is of. */
  static Products of(Tape tape) {
    return new HostProducts(tape);
  }
}

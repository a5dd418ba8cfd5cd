package dev.fovea.nn;

import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;

/**
 * Matrix products of a device: {@code to = A B}, or {@code to = to + A B}. What is multiplied is
 * bound once and multiplied again and again. Factors are of one type, the result of any: sums are
 * float32, and rounded once.
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

  /** One that is ready to be computed. */
  interface Product extends Runnable, AutoCloseable {
    /** Gives up what it holds, once. */
    @Override
    void close();
  }

  /**
   * A product that is ready to be computed.
   *
   * @param bias a vector that is added to every row; null for none; not with {@code isAdded}
   * @param isAdded whether it is added to what is there
   */
  Product bind(Factor a, Factor b, Tensor to, Tensor bias, boolean isAdded);

  /** The square root of the sum of the squares of a vector, float32. */
  double norm(Tensor vector);

  /** Those of a device, with memory of {@code scope}, by all processors. */
  static Products of(Scope scope) {
    return of(scope, Runtime.getRuntime().availableProcessors(), false);
  }

  /**
   * Likewise.
   *
   * @param parallelism threads of one of the CPU
   * @param rowByRow of the CPU: bits of a row {@code x W^T} depend on nothing beside x and W
   */
  static Products of(Scope scope, int parallelism, boolean rowByRow) {
    return Devices.backend(scope.device()).hostMemory()
        ? new HostProducts(scope, parallelism, rowByRow)
        : new DeviceProducts(scope);
  }
}

package dev.fovea.cli.train;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.ffi.OpenBlas;
import java.lang.foreign.MemorySegment;

/**
 * A dense row-major float32 matrix off the heap: activations with a row for each token, parameters,
 * or the gradients of either. Products are OpenBLAS's; everything else takes rows to arrays and
 * back, because the compiler vectorises loops over arrays.
 */
final class Matrix {
  private final Tensor tensor;
  private final MemorySegment data;
  private final int rows;
  private final int columns;

  /** Zeros. */
  Matrix(Scope scope, int rows, int columns) {
    this.tensor = scope.allocate(DType.FLOAT32, rows, columns);
    this.data = tensor.segment();
    this.rows = rows;
    this.columns = columns;
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  /** The same elements in row-major order under another shape. */
  Tensor view(long... shape) {
    return tensor.reshape(shape);
  }

  /** Copies a row to the start of {@code to}. */
  void get(int row, float[] to) {
    MemorySegment.copy(data, JAVA_FLOAT, offset(row), to, 0, columns);
  }

  /** Copies a row from the start of {@code from}. */
  void set(int row, float[] from) {
    MemorySegment.copy(from, 0, data, JAVA_FLOAT, offset(row), columns);
  }

  private long offset(int row) {
    return (long) row * columns * Float.BYTES;
  }

  void clear() {
    data.fill((byte) 0);
  }

  /** {@code this += a b}. */
  void addProduct(Matrix a, Matrix b) {
    OpenBlas.sgemm(
        false, false, rows, columns, a.columns, 1, a.data, a.columns, b.data, b.columns, 1, data,
        columns);
  }

  /** {@code this = a b^T}. */
  void productTransposed(Matrix a, Matrix b) {
    OpenBlas.sgemm(
        false, true, rows, columns, a.columns, 1, a.data, a.columns, b.data, b.columns, 0, data,
        columns);
  }

  /** {@code this = a^T b}. */
  void transposedProduct(Matrix a, Matrix b) {
    OpenBlas.sgemm(
        true, false, rows, columns, a.rows, 1, a.data, a.columns, b.data, b.columns, 0, data,
        columns);
  }
}

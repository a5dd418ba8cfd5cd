package dev.fovea.nn;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.ffi.OpenBlas;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * Products in memory that the host reads, by OpenBLAS: float32. Of other types factors are widened
 * first, and what comes out is rounded once.
 */
final class HostProducts implements Products {
  /**
   * Rows of a part: a multiple of what kernels take, so that bits do not depend on the number of
   * parts.
   */
  private static final int ROWS = 192;

  /** Elements of a vector at a time. */
  private static final int MOST = 1 << 30;

  /** Multiplications that another thread is worth being woken for. */
  private static final double WORTH_A_THREAD = 1e6;

  private final Scope scope;
  private final int parallelism;
  private final boolean rowByRow;
  private final Map<Role, Tensor> widened = new EnumMap<>(Role.class); // the largest so far

  /** What is widened for a product. */
  private enum Role {
    A,
    B,
    BIAS,
    RESULT
  }

  /**
   * By so many threads at most, those of the common pool and the caller.
   *
   * @param rowByRow whether rows of a result are computed one by one where that can be. A product
   *     of matrices rounds a row by how many there are and by its place among them: kernels for few
   *     rows, and for the last ones, sum in another order
   */
  HostProducts(Scope scope, int parallelism, boolean rowByRow) {
    this.scope = scope;
    this.rowByRow = rowByRow;
    this.parallelism = Math.min(parallelism, ForkJoinPool.getCommonPoolParallelism() + 1);
  }

  @Override
  public Product bind(Factor a, Factor b, Tensor to, Tensor bias, boolean isAdded) {
    List<Runnable> before = new ArrayList<>();
    Tensor wide = wide(Role.RESULT, to);
    Product product =
        new Bound(
            new Factor(widen(Role.A, a.matrix(), before), a.isTransposed()),
            new Factor(widen(Role.B, b.matrix(), before), b.isTransposed()),
            wide,
            bias == null ? null : widen(Role.BIAS, bias, before),
            isAdded,
            parallelism,
            rowByRow && b.isTransposed() && !a.isTransposed());
    if (wide != to && isAdded) {
      before.add(Transfer.copy(to, wide, parallelism));
    }
    if (wide == to && before.isEmpty()) {
      return product;
    }
    return new Converted(
        before, product, wide == to ? () -> {} : Transfer.copy(wide, to, parallelism));
  }

  private Tensor widen(Role role, Tensor it, List<Runnable> before) {
    Tensor wide = wide(role, it);
    if (wide != it) {
      before.add(Transfer.copy(it, wide, parallelism));
    }
    return wide;
  }

  /**
   * Where it is in float32. All products share that memory: one runs at a time, as all that belongs
   * to a tape.
   */
  private Tensor wide(Role role, Tensor it) {
    if (it.dtype() == DType.FLOAT32) {
      return it;
    }
    Tensor memory = widened.get(role);
    if (memory == null || memory.elements() < it.elements()) {
      // What is bound keeps the smaller one: with twice as much each time that is little in all.
      long most = memory == null ? 0 : 2 * memory.elements();
      memory = scope.allocate(DType.FLOAT32, Math.max(most, it.elements()));
      widened.put(role, memory);
    }
    return memory.slice(0, 0, it.elements()).reshape(it.shape());
  }

  private record Converted(List<Runnable> before, Product product, Runnable behind)
      implements Product {
    @Override
    public void run() {
      for (int i = 0; i < before.size(); i++) { // an iterator would be garbage
        before.get(i).run();
      }
      product.run();
      behind.run();
    }

    @Override
    public void close() {
      product.close();
    }
  }

  @Override
  public double norm(Tensor vector) {
    double squares = 0;
    for (long from = 0; from < vector.elements(); from += MOST) {
      Tensor part = vector.slice(0, from, Math.min(from + MOST, vector.elements()));
      squares += OpenBlas.dsdot((int) part.elements(), part.segment(), part.segment());
    }
    return Math.sqrt(squares);
  }

  /** By rows of the result, or by its columns where it has more of these or rows are alone. */
  private static final class Bound implements Product {
    private final Factor a;
    private final Factor b;
    private final Tensor to;
    private final Tensor bias;
    private final boolean isAdded;
    private final boolean rowByRow;
    private final int rows;
    private final int columns;
    private final boolean byRows;
    private final int step;
    private final int parts;

    Bound(
        Factor a,
        Factor b,
        Tensor to,
        Tensor bias,
        boolean isAdded,
        int parallelism,
        boolean rowByRow) {
      this.a = a;
      this.b = b;
      this.to = to;
      this.bias = bias;
      this.isAdded = isAdded;
      this.rowByRow = rowByRow;
      rows = a.rows();
      columns = b.columns();
      byRows = !rowByRow && rows >= columns;
      int most = byRows ? rows : columns;
      double work = (double) rows * columns * a.columns();
      int threads = (int) Math.min(parallelism, work / WORTH_A_THREAD);
      int each = Math.ceilDiv(most, Math.max(1, threads));
      step = Math.max(ROWS, Math.ceilDiv(each, ROWS) * ROWS);
      parts = Math.ceilDiv(most, step);
    }

    @Override
    public void run() {
      if (parts <= 1) {
        part(0);
      } else {
        IntStream.range(0, parts).parallel().forEach(this::part);
      }
    }

    @Override
    public void close() {}

    private void part(int part) {
      int from = part * step;
      if (byRows) {
        part(from, Math.min(step, rows - from), 0, columns);
      } else {
        part(0, rows, from, Math.min(step, columns - from));
      }
    }

    private void part(int row, int m, int column, int n) {
      MemorySegment c = at(to, row, column);
      if (bias != null) {
        MemorySegment values = bias.segment().asSlice(4L * column, 4L * n);
        for (int i = 0; i < m; i++) {
          MemorySegment.copy(values, 0, c, 4L * i * to.stride(0), 4L * n);
        }
      }
      float beta = bias != null || isAdded ? 1 : 0;
      if (rowByRow) {
        vectors(row, m, column, n, beta);
        return;
      }
      OpenBlas.sgemm(
          a.isTransposed(),
          b.isTransposed(),
          m,
          n,
          a.columns(),
          1,
          a.isTransposed() ? at(a.matrix(), 0, row) : at(a.matrix(), row, 0),
          stride(a.matrix()),
          b.isTransposed() ? at(b.matrix(), column, 0) : at(b.matrix(), 0, column),
          stride(b.matrix()),
          beta,
          c,
          stride(to));
    }

    /**
     * A few columns for all rows, and then the next: what they are products with stays in cache.
     */
    private void vectors(int row, int m, int column, int n, float beta) {
      for (int from = column; from < column + n; from += ROWS) {
        int count = Math.min(ROWS, column + n - from);
        MemorySegment weights = at(b.matrix(), from, 0);
        for (int i = row; i < row + m; i++) {
          MemorySegment x = at(a.matrix(), i, 0);
          OpenBlas.sgemv(count, a.columns(), weights, stride(b.matrix()), x, beta, at(to, i, from));
        }
      }
    }

    private static MemorySegment at(Tensor matrix, int row, int column) {
      return matrix.segment().asSlice(4 * (row * matrix.stride(0) + column));
    }

    private static int stride(Tensor matrix) {
      return Math.toIntExact(matrix.size(0) > 1 ? matrix.stride(0) : matrix.size(1));
    }
  }
}

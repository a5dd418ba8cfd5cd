package dev.fovea.bench;

import dev.fovea.ffi.OpenBlas;
import dev.fovea.testkit.Gaussian;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * OpenBLAS's product of two square matrices: the speed that a tuned float32 kernel reaches on this
 * machine at this moment. With several threads, each multiplies matrices of its own, which is the
 * best that OpenBLAS can do with them.
 */
final class Sgemm implements AutoCloseable {

  /** Rows and columns of the products that figures are compared with. */
  static final int SIZE = 1024;

  private static final int SAMPLES = 200;

  private final int n;
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment[]> matrices = new ArrayList<>();
  private final ExecutorService others;

  /** Makes the matrices, {@code n} by {@code n}, and verifies one product. */
  Sgemm(int n, int threads) {
    this.n = n;
    Gaussian random = new Gaussian(1);
    for (int t = 0; t < threads; t++) {
      MemorySegment[] abc = new MemorySegment[3];
      for (int i = 0; i < abc.length; i++) {
        abc[i] = arena.allocate(ValueLayout.JAVA_FLOAT.byteSize() * n * n, 64);
        for (long e = 0; e < (long) n * n; e++) {
          abc[i].setAtIndex(ValueLayout.JAVA_FLOAT, e, i < 2 ? random.nextNormal() : Float.NaN);
        }
      }
      matrices.add(abc);
    }
    others =
        Executors.newFixedThreadPool(
            Math.max(1, threads - 1), Thread.ofPlatform().daemon().name("sgemm-", 0).factory());
    matrices.forEach(this::multiply);
    matrices.forEach(this::verify);
  }

  /** Operations of one {@link #run}. */
  double flops() {
    return 2.0 * n * n * n * matrices.size();
  }

  /** One product on each thread. */
  void run() throws Exception {
    List<Future<?>> running = new ArrayList<>();
    for (MemorySegment[] abc : matrices.subList(1, matrices.size())) {
      running.add(others.submit(() -> multiply(abc)));
    }
    multiply(matrices.getFirst());
    for (Future<?> other : running) {
      other.get();
    }
  }

  private void multiply(MemorySegment[] abc) {
    OpenBlas.sgemm(false, false, n, n, n, 1, abc[0], n, abc[1], n, 0, abc[2], n);
  }

  private void verify(MemorySegment[] abc) {
    Gaussian random = new Gaussian(2);
    for (int sample = 0; sample < SAMPLES; sample++) {
      int row = random.nextInt(n);
      int column = random.nextInt(n);
      double exact = 0;
      double absolute = 0;
      for (int k = 0; k < n; k++) {
        double a = abc[0].getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * n + k);
        double b = abc[1].getAtIndex(ValueLayout.JAVA_FLOAT, (long) k * n + column);
        exact += a * b;
        absolute += Math.abs(a * b);
      }
      float got = abc[2].getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * n + column);
      // No order of float32 additions errs by more.
      if (!(Math.abs(got - exact) <= n * 0x1p-24 * absolute)) {
        throw new WrongOutputException(
            "sgemm: element (%d, %d) is %s, exact %s".formatted(row, column, got, exact));
      }
    }
  }

  @Override
  public void close() {
    others.shutdownNow();
    arena.close();
  }
}

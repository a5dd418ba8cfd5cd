package dev.fovea.cli.blas;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.fovea.cli.files.Reason;
import dev.fovea.cli.files.Resources;
import dev.fovea.testkit.CleanExit;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/**
 * Matrix products by OpenBLAS, straight through Panama.
 *
 * <p>The shared libraries come from the {@code org.bytedeco:openblas} jar of this platform; no code
 * of that jar is used. They are extracted to a fresh directory that only this user can read, loaded
 * and deleted. OpenBLAS starts with one thread: callers that want more call it from several threads
 * of their own, which needs no tuning and no spinning workers.
 *
 * <p>Every method throws {@link IllegalStateException} if the library cannot be loaded.
 */
public final class OpenBlas {

  private static final String RESOURCES = "org/bytedeco/openblas/linux-x86_64/";
  private static final String ARTIFACT = "org.bytedeco:openblas, classifier linux-x86_64";

  /** In the order of their dependencies: each finds the earlier ones by their soname. */
  private static final List<String> LIBRARIES =
      List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0");

  /** Threads that may be inside the library at a time: it has buffers for no more. */
  public static final int MAX_THREADS = 64;

  private static final int ROW_MAJOR = 101;
  private static final int NO_TRANSPOSE = 111;
  private static final int TRANSPOSE = 112;

  private static final FunctionDescriptor SGEMM_TYPE =
      FunctionDescriptor.ofVoid(
          JAVA_INT,
          JAVA_INT,
          JAVA_INT, // order, transpose a, transpose b
          JAVA_INT,
          JAVA_INT,
          JAVA_INT, // m, n, k
          JAVA_FLOAT, // alpha
          ADDRESS,
          JAVA_INT, // a, lda
          ADDRESS,
          JAVA_INT, // b, ldb
          JAVA_FLOAT, // beta
          ADDRESS,
          JAVA_INT); // c, ldc

  private OpenBlas() {}

  /** The functions; initialising this class loads the library, but does not fail if that does. */
  @SuppressWarnings("restricted")
  private static final class Functions {
    static final MethodHandle SGEMM;
    static final MethodHandle SET_NUM_THREADS;
    static final String CONFIG;
    static final Throwable FAILURE;

    static {
      MethodHandle sgemm = null;
      MethodHandle setNumThreads = null;
      String config = null;
      Throwable failure = null;
      try {
        SymbolLookup library = load();
        sgemm = function(library, "cblas_sgemm", SGEMM_TYPE);
        setNumThreads =
            function(library, "openblas_set_num_threads", FunctionDescriptor.ofVoid(JAVA_INT));
        MethodHandle getConfig =
            function(library, "openblas_get_config", FunctionDescriptor.of(ADDRESS));
        config = ((MemorySegment) getConfig.invokeExact()).reinterpret(512).getString(0).strip();
        setNumThreads.invokeExact(1);
      } catch (Throwable e) {
        failure = e;
      }
      SGEMM = sgemm;
      SET_NUM_THREADS = setNumThreads;
      CONFIG = config;
      FAILURE = failure;
    }

    private static MethodHandle function(
        SymbolLookup library, String name, FunctionDescriptor type) {
      return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), type);
    }

    static void check() {
      if (FAILURE != null) {
        throw new IllegalStateException(
            "OpenBLAS could not be loaded: "
                + (FAILURE instanceof IOException e ? Reason.of(e) : FAILURE.getMessage()),
            FAILURE);
      }
    }
  }

  private static SymbolLookup load() throws IOException {
    // What is mapped stays mapped when the folder is gone.
    return CleanExit.inFolder("fovea-openblas-", OpenBlas::load);
  }

  @SuppressWarnings("restricted")
  private static SymbolLookup load(Path folder) throws IOException {
    Path file = folder;
    for (String library : LIBRARIES) {
      file = Resources.copy(RESOURCES + library, folder, ARTIFACT);
      // Unlike SymbolLookup.libraryLookup, its error carries the reason that dlopen gave.
      System.load(file.toString());
    }
    return SymbolLookup.libraryLookup(file, Arena.global());
  }

  /** What the loaded library says of itself: version, build options, kernel of this CPU. */
  public static String config() {
    Functions.check();
    return Functions.CONFIG;
  }

  /** Threads that OpenBLAS uses inside one call; 1 unless this is called. */
  public static void setThreads(int threads) {
    Functions.check();
    try {
      Functions.SET_NUM_THREADS.invokeExact(threads);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * {@code c = alpha * a * b^T + beta * c} for row-major matrices: {@code a} is m x k, {@code b} is
   * n x k, {@code c} is m x n; a row of each starts {@code lda}, {@code ldb}, {@code ldc} elements
   * after the one before.
   *
   * @throws IndexOutOfBoundsException if a matrix does not lie inside its segment
   */
  public static void sgemmTransposed(
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc) {
    check("a", a, m, k, lda);
    check("b", b, n, k, ldb);
    check("c", c, m, n, ldc);
    sgemm(NO_TRANSPOSE, TRANSPOSE, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  /**
   * {@code c = alpha * a * b + beta * c} for row-major matrices: {@code a} is m x k, {@code b} is k
   * x n, {@code c} is m x n.
   *
   * @throws IndexOutOfBoundsException if a matrix does not lie inside its segment
   */
  public static void sgemm(
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc) {
    check("a", a, m, k, lda);
    check("b", b, k, n, ldb);
    check("c", c, m, n, ldc);
    sgemm(NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  /**
   * {@code c = alpha * a^T * b + beta * c} for row-major matrices: {@code a} is k x m, {@code b} is
   * k x n, {@code c} is m x n.
   *
   * @throws IndexOutOfBoundsException if a matrix does not lie inside its segment
   */
  public static void sgemmTransposedLeft(
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc) {
    check("a", a, k, m, lda);
    check("b", b, k, n, ldb);
    check("c", c, m, n, ldc);
    sgemm(TRANSPOSE, NO_TRANSPOSE, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  private static void sgemm(
      int transposeA,
      int transposeB,
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc) {
    Functions.check();
    try {
      Functions.SGEMM.invokeExact(
          ROW_MAJOR, transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static void check(String name, MemorySegment matrix, int rows, int columns, int ld) {
    long last = rows == 0 || columns == 0 ? 0 : ((rows - 1L) * ld + columns) * Float.BYTES;
    if (rows < 0 || columns < 0 || ld < columns || last > matrix.byteSize()) {
      throw new IndexOutOfBoundsException(
          "%s: %d x %d with row stride %d does not fit into %d bytes"
              .formatted(name, rows, columns, ld, matrix.byteSize()));
    }
  }

  private static RuntimeException unexpected(Throwable e) {
    return new IllegalStateException("OpenBLAS call failed", e);
  }
}

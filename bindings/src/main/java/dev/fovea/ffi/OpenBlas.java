package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Matrix products by OpenBLAS, straight through Panama. Thread-safe.
 *
 * <p>The shared libraries come from the {@code org.bytedeco:openblas} jar of this platform; no code
 * of that jar is used. OpenBLAS starts with one thread: callers that want more call it from several
 * threads of their own, which needs no tuning and no spinning workers.
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

  private static final FunctionDescriptor SGEMV_TYPE =
      FunctionDescriptor.ofVoid(
          JAVA_INT,
          JAVA_INT, // order, transpose a
          JAVA_INT,
          JAVA_INT, // m, n
          JAVA_FLOAT, // alpha
          ADDRESS,
          JAVA_INT, // a, lda
          ADDRESS,
          JAVA_INT, // x, its step
          JAVA_FLOAT, // beta
          ADDRESS,
          JAVA_INT); // y, its step

  private static final FunctionDescriptor DSDOT_TYPE =
      FunctionDescriptor.of(JAVA_DOUBLE, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT);

  private OpenBlas() {}

  /** The functions; initialising this class loads the library, but does not fail if that does. */
  @SuppressWarnings("restricted")
  private static final class Functions {
    static final MethodHandle SGEMM;
    static final MethodHandle SGEMV;
    static final MethodHandle DSDOT;
    static final MethodHandle SET_NUM_THREADS;
    static final String CONFIG;
    static final Throwable FAILURE;

    static {
      MethodHandle sgemm = null;
      MethodHandle sgemv = null;
      MethodHandle dsdot = null;
      MethodHandle setNumThreads = null;
      String config = null;
      Throwable failure = null;
      try {
        SymbolLookup library = open();
        sgemm = function(library, "cblas_sgemm", SGEMM_TYPE);
        sgemv = function(library, "cblas_sgemv", SGEMV_TYPE);
        dsdot = function(library, "cblas_dsdot", DSDOT_TYPE);
        setNumThreads =
            function(library, "openblas_set_num_threads", FunctionDescriptor.ofVoid(JAVA_INT));
        MethodHandle getConfig =
            function(library, "openblas_get_config", FunctionDescriptor.of(ADDRESS));
        config = Memory.text(((MemorySegment) getConfig.invokeExact()).address()).strip();
        setNumThreads.invokeExact(1);
      } catch (Throwable e) {
        failure = e;
      }
      SGEMM = sgemm;
      SGEMV = sgemv;
      DSDOT = dsdot;
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
            "OpenBLAS could not be loaded: " + FAILURE.getMessage(), FAILURE);
      }
    }
  }

  /** What is mapped stays mapped when the folder is gone. */
  private static SymbolLookup open() throws IOException, LoadRefusal {
    PrivateFolder folder;
    try {
      folder = PrivateFolder.create();
    } catch (IOException e) {
      throw new IOException(
          "no folder can be made in the temporary directory %s; -Djava.io.tmpdir names another"
              .formatted(System.getProperty("java.io.tmpdir")),
          e);
    }
    try {
      SymbolLookup last = null;
      for (String library : LIBRARIES) {
        last = DynamicLinker.open(copy(library, folder.path()));
      }
      return last;
    } finally {
      folder.close();
    }
  }

  private static Path copy(String library, Path folder) throws IOException {
    // By the loader, not by a class: the file lies in no package, and in another module.
    ClassLoader loader = OpenBlas.class.getClassLoader();
    try (InputStream in = loader.getResourceAsStream(RESOURCES + library)) {
      if (in == null) {
        throw new IOException("no " + RESOURCES + library + " here (" + ARTIFACT + ")");
      }
      Path file = folder.resolve(library);
      Files.copy(in, file);
      return file;
    }
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
      throw Handles.unchecked(e);
    }
  }

  /**
   * {@code c = alpha * A * B + beta * c} for row-major matrices: A is m x k and B is k x n, the
   * given matrix or, where that is transposed, what it is the transpose of; {@code c} is m x n. A
   * row of the given matrices starts {@code lda}, {@code ldb}, {@code ldc} elements after the one
   * before.
   *
   * @throws IndexOutOfBoundsException if a matrix does not lie inside its segment
   */
  public static void sgemm(
      boolean transposeA,
      boolean transposeB,
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
    check("a", a, transposeA ? k : m, transposeA ? m : k, lda);
    check("b", b, transposeB ? n : k, transposeB ? k : n, ldb);
    check("c", c, m, n, ldc);
    Functions.check();
    try {
      Functions.SGEMM.invokeExact(
          ROW_MAJOR,
          transposeA ? TRANSPOSE : NO_TRANSPOSE,
          transposeB ? TRANSPOSE : NO_TRANSPOSE,
          m,
          n,
          k,
          alpha,
          a,
          lda,
          b,
          ldb,
          beta,
          c,
          ldc);
    } catch (Throwable e) {
      throw Handles.unchecked(e);
    }
  }

  /**
   * {@code y = A x + beta * y} for a row-major matrix A, m x n, whose rows start {@code lda}
   * elements apart, and vectors without gaps.
   *
   * @throws IndexOutOfBoundsException if one does not lie inside its segment
   */
  public static void sgemv(
      int m, int n, MemorySegment a, int lda, MemorySegment x, float beta, MemorySegment y) {
    check("a", a, m, n, lda);
    check("x", x, 1, n, n);
    check("y", y, 1, m, m);
    Functions.check();
    try {
      Functions.SGEMV.invokeExact(ROW_MAJOR, NO_TRANSPOSE, m, n, 1f, a, lda, x, 1, beta, y, 1);
    } catch (Throwable e) {
      throw Handles.unchecked(e);
    }
  }

  /**
   * The sum of the products of two float32 vectors of {@code n} elements, in float64.
   *
   * @throws IndexOutOfBoundsException if one does not lie inside its segment
   */
  public static double dsdot(int n, MemorySegment x, MemorySegment y) {
    check("x", x, 1, n, n);
    check("y", y, 1, n, n);
    Functions.check();
    try {
      return (double) Functions.DSDOT.invokeExact(n, x, 1, y, 1);
    } catch (Throwable e) {
      throw Handles.unchecked(e);
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
}

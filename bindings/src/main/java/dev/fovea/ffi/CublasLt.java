package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Matrix products on NVIDIA GPUs by cuBLASLt: {@code libcublasLt.so} of a CUDA toolkit, found where
 * the system looks for libraries or by the property {@value #PROPERTY}. Thread-safe.
 *
 * <p>What works on a device expects its context to be current.
 */
public final class CublasLt {
  /** The file of the library. */
  public static final String PROPERTY = "fovea.cublaslt.path";

  /** Where the system looks: the newest first. */
  private static final List<String> NAMES =
      List.of("libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so");

  // cublasComputeType_t and cudaDataType_t.
  private static final int COMPUTE_32F = 68;
  private static final int R_32F = 0;

  // cublasLtMatmulDescAttributes_t, cublasLtMatmulPreferenceAttributes_t, cublasLtEpilogue_t.
  private static final int TRANSPOSE_A = 3;
  private static final int TRANSPOSE_B = 4;
  private static final int EPILOGUE = 7;
  private static final int BIAS_POINTER = 8;
  private static final int BIAS_TYPE = 26;
  private static final int MOST_WORKSPACE = 1;
  private static final int EPILOGUE_BIAS = 4;

  /**
   * cublasLtMatmulHeuristicResult_t: the algorithm, its workspace, a status, and what is of no use.
   */
  private static final long ALGORITHM_BYTES = 64;

  private static final long RESULT_BYTES = 96;
  private static final long RESULT_STATUS = 72;

  private static final MethodHandle CREATE = downcall(ADDRESS);
  private static final MethodHandle DESTROY = downcall(ADDRESS);
  private static final MethodHandle DESCRIPTOR = downcall(ADDRESS, JAVA_INT, JAVA_INT);
  private static final MethodHandle LAYOUT =
      downcall(ADDRESS, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle SET = downcall(ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle HEURISTIC =
      downcall(
          ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS,
          ADDRESS);
  private static final MethodHandle MULTIPLY =
      downcall(
          ADDRESS, ADDRESS, // handle, descriptor
          ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, // alpha, a, b
          ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, // beta, c, d
          ADDRESS, ADDRESS, JAVA_LONG, ADDRESS); // algorithm, workspace, its bytes, stream

  private final String file;
  private final SymbolLookup symbols;
  private final MemorySegment multiply;

  private CublasLt(String file, SymbolLookup symbols) throws LoadRefusal {
    this.file = file;
    this.symbols = symbols;
    for (String name : List.of("Create", "MatmulDescCreate", "MatmulAlgoGetHeuristic", "Matmul")) {
      if (symbols.find("cublasLt" + name).isEmpty()) {
        throw new LoadRefusal("it has no cublasLt" + name);
      }
    }
    multiply = function("Matmul");
  }

  /** With the address of the function first; returns a status. */
  @SuppressWarnings("restricted")
  private static MethodHandle downcall(MemoryLayout... arguments) {
    return Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(JAVA_INT, arguments));
  }

  private MemorySegment function(String name) {
    return symbols.findOrThrow("cublasLt" + name);
  }

  /** Not initialised before it is asked for. */
  private static final class Found {
    static final ToolkitLibrary<CublasLt> NOW =
        ToolkitLibrary.find(PROPERTY, NAMES, DynamicLinker::open, CublasLt::new);
  }

  /**
   * The library of this process.
   *
   * @throws UnsupportedOperationException if there is none
   */
  public static CublasLt get() {
    return Found.NOW.require("cuBLASLt", "libcublasLt.so", PROPERTY);
  }

  /**
   * A handle of the device whose context is current, for the rest of the process.
   *
   * @throws IllegalStateException if the library refuses
   */
  public MemorySegment open() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle = arena.allocate(ADDRESS);
      check("Create", (int) CREATE.invokeExact(function("Create"), handle));
      return handle.get(ADDRESS, 0);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /**
   * A matrix of a product, row-major.
   *
   * @param type a cudaDataType_t
   * @param rows as it lies in memory
   * @param columns likewise, side by side
   * @param stride elements from one row to the next
   * @param isTransposed whether its transpose is the factor
   */
  public record Matrix(int type, long rows, long columns, long stride, boolean isTransposed) {}

  /**
   * {@code c = a b + beta c}, with a bias for every column, on matrices that are given each time.
   */
  public final class Product implements AutoCloseable {
    /** What the library made, and by what it is destroyed. */
    private record Owned(String destroy, MemorySegment it) {}

    private final List<Owned> owned = new ArrayList<>(4);
    private final MemorySegment handle;
    private final Arena arena;
    private final MemorySegment descriptor;
    private final MemorySegment a;
    private final MemorySegment b;
    private final MemorySegment c;
    private final MemorySegment alpha;
    private final MemorySegment beta;
    private final MemorySegment algorithm;

    /**
     * Chooses how to compute it.
     *
     * @param bias what is added to every row; {@link MemorySegment#NULL} for nothing; of the type
     *     of c
     * @param isAdded whether it is added to what is in c
     * @param workspace bytes that it may use
     */
    private Product(
        MemorySegment handle,
        Matrix a,
        Matrix b,
        Matrix c,
        MemorySegment bias,
        boolean isAdded,
        long workspace)
        throws Throwable {
      this.handle = handle;
      arena = Arena.ofAuto();
      alpha = arena.allocateFrom(JAVA_FLOAT, 1);
      beta = arena.allocateFrom(JAVA_FLOAT, isAdded ? 1 : 0);
      try {
        MemorySegment created = arena.allocate(ADDRESS);
        check(
            "MatmulDescCreate",
            (int)
                DESCRIPTOR.invokeExact(function("MatmulDescCreate"), created, COMPUTE_32F, R_32F));
        descriptor = own("MatmulDescDestroy", created);
        // The library's matrices are column-major, so each is seen as its transpose: c^T = b^T a^T.
        set(TRANSPOSE_A, b.isTransposed() ? 1 : 0);
        set(TRANSPOSE_B, a.isTransposed() ? 1 : 0);
        if (bias.address() != 0) {
          set(EPILOGUE, EPILOGUE_BIAS);
          set(BIAS_TYPE, c.type());
          MemorySegment pointer = arena.allocateFrom(ADDRESS, bias);
          setBytes("MatmulDescSetAttribute", descriptor, BIAS_POINTER, pointer);
        }
        this.a = layout(b);
        this.b = layout(a);
        this.c = layout(c);
        algorithm = choose(workspace);
      } catch (Throwable t) {
        close();
        throw t;
      }
    }

    private MemorySegment own(String destroy, MemorySegment created) {
      MemorySegment it = created.get(ADDRESS, 0);
      owned.add(new Owned(destroy, it));
      return it;
    }

    private void set(int attribute, int value) throws Throwable {
      MemorySegment word = arena.allocateFrom(JAVA_INT, value);
      setBytes("MatmulDescSetAttribute", descriptor, attribute, word);
    }

    private void setBytes(String function, MemorySegment of, int attribute, MemorySegment value)
        throws Throwable {
      check(
          function,
          (int) SET.invokeExact(function(function), of, attribute, value, value.byteSize()));
    }

    private MemorySegment layout(Matrix matrix) throws Throwable {
      MemorySegment layout = arena.allocate(ADDRESS);
      check(
          "MatrixLayoutCreate",
          (int)
              LAYOUT.invokeExact(
                  function("MatrixLayoutCreate"),
                  layout,
                  matrix.type(),
                  matrix.columns(),
                  matrix.rows(),
                  matrix.stride()));
      return own("MatrixLayoutDestroy", layout);
    }

    private MemorySegment choose(long workspace) throws Throwable {
      MemorySegment preference = arena.allocate(ADDRESS);
      check(
          "MatmulPreferenceCreate",
          (int) CREATE.invokeExact(function("MatmulPreferenceCreate"), preference));
      MemorySegment results = arena.allocate(RESULT_BYTES, 8);
      MemorySegment found = arena.allocate(JAVA_INT);
      try {
        MemorySegment bytes = arena.allocateFrom(JAVA_LONG, workspace);
        setBytes("MatmulPreferenceSetAttribute", preference.get(ADDRESS, 0), MOST_WORKSPACE, bytes);
        check(
            "MatmulAlgoGetHeuristic",
            (int)
                HEURISTIC.invokeExact(
                    function("MatmulAlgoGetHeuristic"),
                    handle,
                    descriptor,
                    a,
                    b,
                    c,
                    c,
                    preference.get(ADDRESS, 0),
                    1,
                    results,
                    found));
      } finally {
        destroy("MatmulPreferenceDestroy", preference.get(ADDRESS, 0));
      }
      if (found.get(JAVA_INT, 0) < 1) {
        throw new IllegalStateException(file + " has no way to compute this product");
      }
      check("MatmulAlgoGetHeuristic", results.get(JAVA_INT, RESULT_STATUS));
      return results.asSlice(0, ALGORITHM_BYTES);
    }

    /** Queues it. The workspace is of as many bytes as it was made for. */
    public void run(
        MemorySegment aData,
        MemorySegment bData,
        MemorySegment cData,
        MemorySegment workspace,
        long workspaceBytes,
        MemorySegment stream) {
      try {
        check(
            "Matmul",
            (int)
                MULTIPLY.invokeExact(
                    multiply,
                    handle,
                    descriptor,
                    alpha,
                    bData,
                    a,
                    aData,
                    b,
                    beta,
                    cData,
                    c,
                    cData,
                    c,
                    algorithm,
                    workspace,
                    workspaceBytes,
                    stream));
      } catch (Throwable t) {
        throw Handles.unchecked(t);
      }
    }

    /** Frees what the library keeps of it. */
    @Override
    public void close() {
      try {
        while (!owned.isEmpty()) {
          Owned last = owned.removeLast();
          destroy(last.destroy, last.it);
        }
      } catch (Throwable t) {
        throw Handles.unchecked(t);
      }
    }

    private void destroy(String function, MemorySegment it) throws Throwable {
      check(function, (int) DESTROY.invokeExact(function(function), it));
    }
  }

  /**
   * A product of the device that {@code handle} is of.
   *
   * @param bias what is added to every row of c; {@link MemorySegment#NULL} for nothing
   * @param isAdded whether it is added to what is in c
   * @param workspace bytes that it may use
   * @throws IllegalStateException if the library refuses
   */
  public Product product(
      MemorySegment handle,
      Matrix a,
      Matrix b,
      Matrix c,
      MemorySegment bias,
      boolean isAdded,
      long workspace) {
    try {
      return new Product(handle, a, b, c, bias, isAdded, workspace);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  private void check(String function, int status) {
    if (status != 0) {
      throw new IllegalStateException(
          "%s: cublasLt%s gave status %d".formatted(file, function, status));
    }
  }
}

package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** NVIDIA's driver library: whether it is there, and the functions of it that JCuda lacks. */
public final class CudaDriver {
  private static final String LIBRARY = "libcuda.so.1";
  private static final int RELEASE_THRESHOLD = 4; // CU_MEMPOOL_ATTR_RELEASE_THRESHOLD

  private CudaDriver() {}

  /** Why the library cannot be loaded; empty if it can, and is from now on. */
  public static Optional<String> missing() {
    try {
      DynamicLinker.openSystem(LIBRARY);
      return Optional.empty();
    } catch (LoadRefusal | IllegalCallerException | UnsupportedOperationException e) {
      return Optional.of(e.getMessage());
    }
  }

  /**
   * Lets the default memory pool of a device keep up to {@code bytes} that nobody uses: unless
   * told, it gives them back to the driver whenever somebody waits for the device, and the next
   * allocation has to get them again.
   *
   * @return a {@code CUresult}
   */
  public static int keepUnused(int device, long bytes) {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup symbols = DynamicLinker.openSystem(LIBRARY);
      MethodHandle getPool =
          downcall(
              symbols,
              "cuDeviceGetDefaultMemPool",
              FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
      MethodHandle set =
          downcall(
              symbols,
              "cuMemPoolSetAttribute",
              FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS));
      MemorySegment pool = arena.allocate(ADDRESS);
      int result = (int) getPool.invokeExact(pool, device);
      return result != 0
          ? result
          : (int)
              set.invokeExact(
                  pool.get(ADDRESS, 0), RELEASE_THRESHOLD, arena.allocateFrom(JAVA_LONG, bytes));
    } catch (LoadRefusal e) {
      throw new IllegalStateException(e.getMessage());
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  @SuppressWarnings("restricted")
  private static MethodHandle downcall(
      SymbolLookup symbols, String function, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(function), descriptor);
  }
}

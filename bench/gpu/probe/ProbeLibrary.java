package dev.fovea.probe;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The functions of native/cuda/probe.h, in the library that the property {@code
 * fovea.probe.library} names.
 */
final class ProbeLibrary {
  static final int SCORES = 0;
  static final int VALUES = 1;

  private static final int OK = 0;
  private static final int UNSUPPORTED = 2;
  private static final long ERROR_BYTES = 512;

  private static final SymbolLookup LIBRARY =
      open(Path.of(System.getProperty("fovea.probe.library")));
  private static final MethodHandle DEVICE =
      function("fovea_cuda_probe_device", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
  private static final MethodHandle COPY =
      function("fovea_cuda_probe_copy", ADDRESS, ADDRESS, JAVA_LONG, ADDRESS);
  private static final MethodHandle MMA =
      function("fovea_cuda_probe_mma", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
  private static final MethodHandle WGMMA =
      function("fovea_cuda_probe_wgmma", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS);

  private ProbeLibrary() {}

  record DeviceFacts(int multiprocessors, int computeCapability, int sharedMemoryOptin) {}

  static DeviceFacts device() {
    try (var arena = Arena.ofConfined()) {
      var facts = arena.allocate(JAVA_INT, 4);
      call(
          error ->
              (int)
                  DEVICE.invokeExact(
                      facts,
                      facts.asSlice(4),
                      facts.asSlice(8),
                      facts.asSlice(12),
                      error,
                      ERROR_BYTES));
      return new DeviceFacts(
          facts.getAtIndex(JAVA_INT, 0),
          10 * facts.getAtIndex(JAVA_INT, 1) + facts.getAtIndex(JAVA_INT, 2),
          facts.getAtIndex(JAVA_INT, 3));
    }
  }

  static void copy(
      MemorySegment source, MemorySegment destination, long bytes, MemorySegment stream) {
    call(error -> (int) COPY.invokeExact(source, destination, bytes, stream, error, ERROR_BYTES));
  }

  static void mma(MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment stream) {
    call(error -> (int) MMA.invokeExact(a, b, c, stream, error, ERROR_BYTES));
  }

  static void wgmma(
      int product, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment stream) {
    call(error -> (int) WGMMA.invokeExact(product, a, b, c, stream, error, ERROR_BYTES));
  }

  private interface Call {
    /** Returns a status, and writes the error text if that is not OK. */
    int run(MemorySegment error) throws Throwable;
  }

  private static void call(Call call) {
    try (var arena = Arena.ofConfined()) {
      var error = arena.allocate(ERROR_BYTES);
      int status = call.run(error);
      if (status == UNSUPPORTED) throw new UnsupportedOperationException(error.getString(0));
      if (status != OK)
        throw new IllegalStateException("status " + status + ": " + error.getString(0));
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError("a downcall throws no checked exception", t);
    }
  }

  private static SymbolLookup open(Path path) {
    System.load(
        path.toAbsolutePath().toString()); // its error says why; that of libraryLookup does not
    return SymbolLookup.libraryLookup(path, Arena.global());
  }

  /** Every function also takes the error text and its size, and returns a status. */
  private static MethodHandle function(String name, MemoryLayout... parameters) {
    var descriptor =
        FunctionDescriptor.of(JAVA_INT, parameters).appendArgumentLayouts(ADDRESS, JAVA_LONG);
    return Linker.nativeLinker().downcallHandle(LIBRARY.findOrThrow(name), descriptor);
  }
}

package dev.fovea.cuda;

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

/** What tests ask of the stub of libcuda: see native/stub. */
@SuppressWarnings("restricted") // calling native functions is the whole purpose
final class Stub {
  /** {@code CUresult}s that tests inject. */
  static final int OUT_OF_MEMORY = 2;

  static final int ILLEGAL_ADDRESS = 700;

  /** Bytes of every device. */
  static final long MEMORY = 1L << 30;

  private static final SymbolLookup SYMBOLS =
      SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
  private static final MethodHandle FAIL = function("fovea_stub_fail", null, ADDRESS, JAVA_INT);
  private static final MethodHandle LOSE = function("fovea_stub_lose", null, JAVA_INT);
  private static final MethodHandle CALLS = function("fovea_stub_calls", JAVA_LONG, ADDRESS);
  private static final MethodHandle BLOCKS = function("fovea_stub_blocks", JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PRODUCTS = function("fovea_stub_cublaslt", JAVA_LONG);
  private static final MethodHandle PENDING = function("fovea_stub_pending", JAVA_LONG, ADDRESS);

  private Stub() {}

  /** The next call of this function of the driver returns {@code result}. */
  static void fail(String function, int result) {
    try (Arena arena = Arena.ofConfined()) {
      FAIL.invokeExact(arena.allocateFrom(function), result);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Everything returns {@code result} from now on; 0 heals the device. */
  static void lose(int result) {
    try {
      LOSE.invokeExact(result);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** How often this function of the driver was called. */
  static long calls(String function) {
    try (Arena arena = Arena.ofConfined()) {
      return (long) CALLS.invokeExact(arena.allocateFrom(function));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /**
   * Blocks of so many bytes that are not freed: a size that nothing else has, since the collector
   * frees at any time what calls of other tests had.
   */
  static long blocks(long bytes) {
    try {
      return (long) BLOCKS.invokeExact(bytes);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Descriptors, layouts, preferences and handles of cuBLASLt that are not destroyed. */
  static long products() {
    try {
      return (long) PRODUCTS.invokeExact();
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Pieces of work in a stream that are not done. */
  static long pending(long stream) {
    try {
      return (long) PENDING.invokeExact(MemorySegment.ofAddress(stream));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  private static MethodHandle function(
      String name, MemoryLayout result, MemoryLayout... arguments) {
    return Linker.nativeLinker()
        .downcallHandle(
            SYMBOLS.findOrThrow(name),
            result == null
                ? FunctionDescriptor.ofVoid(arguments)
                : FunctionDescriptor.of(result, arguments));
  }
}

package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;

/**
 * {@code dlopen}, for its error text: {@link SymbolLookup#libraryLookup} says only that a library
 * cannot be opened, the dynamic linker says why.
 */
final class DynamicLinker {
  /** All symbols now, so that what is missing is named here and not at the first call. */
  private static final int RTLD_NOW = 2;

  private DynamicLinker() {}

  /** Opens a library for the rest of the process. */
  @SuppressWarnings("restricted")
  static SymbolLookup open(Path file) throws LoadRefusal {
    Optional<String> error = error(file.toString());
    if (error.isPresent()) {
      throw new LoadRefusal(error.get());
    }
    try {
      return SymbolLookup.libraryLookup(file, Arena.global());
    } catch (IllegalArgumentException e) { // only where there is no dlopen to ask first
      throw new LoadRefusal(e.getMessage());
    }
  }

  /** Opens a library of the system, which knows where it is, for the rest of the process. */
  @SuppressWarnings("restricted")
  static SymbolLookup openSystem(String name) throws LoadRefusal {
    Optional<String> error = error(name);
    if (error.isPresent()) {
      throw new LoadRefusal(error.get());
    }
    try {
      return SymbolLookup.libraryLookup(name, Arena.global());
    } catch (IllegalArgumentException e) { // only where there is no dlopen to ask first
      throw new LoadRefusal(e.getMessage());
    }
  }

  @SuppressWarnings("restricted")
  private static Optional<String> error(String file) {
    Linker linker = Linker.nativeLinker();
    Optional<MemorySegment> dlopen = linker.defaultLookup().find("dlopen");
    Optional<MemorySegment> dlerror = linker.defaultLookup().find("dlerror");
    if (dlopen.isEmpty() || dlerror.isEmpty()) {
      return Optional.empty();
    }
    MethodHandle open =
        linker.downcallHandle(dlopen.get(), FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
    MethodHandle error = linker.downcallHandle(dlerror.get(), FunctionDescriptor.of(ADDRESS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(file);
      // The handle stays open on purpose: the library is kept for good.
      MemorySegment handle = (MemorySegment) open.invokeExact(path, RTLD_NOW);
      if (handle.address() != 0) {
        return Optional.empty();
      }
      // The text belongs to the thread, and nothing between the two calls can change the carrier.
      MemorySegment text = (MemorySegment) error.invokeExact();
      return Optional.of(text.address() == 0 ? "dlopen failed" : Memory.text(text.address()));
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }
}

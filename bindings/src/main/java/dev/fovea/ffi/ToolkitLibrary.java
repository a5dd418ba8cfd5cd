package dev.fovea.ffi;

import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A library of a CUDA toolkit, or why there is none: the file that a property names, or else what
 * the system finds by name, or else what NVIDIA's installer put where it always does.
 *
 * @param <L> what is made of it
 * @param library null if there is none
 * @param missing the reasons; null if there is one
 */
record ToolkitLibrary<L>(L library, String missing) {
  /** Where NVIDIA's installer puts them. */
  private static final Path INSTALLED = Path.of("/usr/local/cuda/lib64");

  /** Opens a file. */
  @FunctionalInterface
  interface Opener {
    SymbolLookup open(Path file) throws LoadRefusal;
  }

  /**
   * Makes something of a library.
   *
   * @param <L> what
   */
  @FunctionalInterface
  interface Maker<L> {
    L make(String file, SymbolLookup symbols) throws LoadRefusal;
  }

  /**
   * Looks for it.
   *
   * @param property what may name the file
   * @param names of the library where the system looks, the newest first; the last is that of the
   *     installed file
   */
  static <L> ToolkitLibrary<L> find(
      String property, List<String> names, Opener opener, Maker<L> maker) {
    String given = System.getProperty(property);
    List<String> reasons = new ArrayList<>();
    if (given == null) {
      for (String name : names) {
        try {
          return new ToolkitLibrary<>(maker.make(name, DynamicLinker.openSystem(name)), null);
        } catch (LoadRefusal | IllegalCallerException | UnsupportedOperationException e) {
          reasons.add(name + ": " + e.getMessage());
        }
      }
    }
    String file = given == null ? INSTALLED.resolve(names.getLast()).toString() : given;
    try {
      SymbolLookup symbols = opener.open(GivenPath.file(file).toAbsolutePath());
      return new ToolkitLibrary<>(maker.make(file, symbols), null);
    } catch (LoadRefusal | IllegalCallerException | UnsupportedOperationException e) {
      reasons.add(file + ": " + e.getMessage());
    }
    return new ToolkitLibrary<>(null, String.join("; ", reasons));
  }

  /**
   * The library.
   *
   * @param name for people
   * @param property what may name its file, {@code file}
   * @throws UnsupportedOperationException if there is none
   */
  L require(String name, String file, String property) {
    if (library == null) {
      throw new UnsupportedOperationException(
          "there is no %s, which comes with a CUDA toolkit (%s): install one, or name its %s by -D%s"
              .formatted(name, missing, file, property));
    }
    return library;
  }
}

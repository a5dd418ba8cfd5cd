package dev.fovea.ffi;

import dev.fovea.ffi.report.LoadReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * A loaded library: one method for each function of {@code fovea.h}, under its C name less the
 * prefix, with its arguments in the same order. Each returns the status of {@link Abi}.
 *
 * <p>Segments must be native; a segment whose arena is closed gives {@link IllegalStateException},
 * one confined to another thread {@link WrongThreadException}. Nothing else is checked here: the
 * module {@code dev.fovea} checks sizes before it calls. Thread-safe. A library is never unloaded.
 */
public final class NativeLibrary {
  private final String name;
  private final String origin;
  private final String backend;
  private final String version;
  private final String build;

  // The address table: handles are shared by all libraries, addresses are not.
  private final MemorySegment libraryQuery;
  private final MemorySegment deviceQuery;
  private final MemorySegment prepare;
  private final MemorySegment loadModifier;
  private final Map<NativeOperation, Functions> functions = new IdentityHashMap<>();

  /** The addresses of an operation; {@code backward} is null where it has no such pass. */
  private record Functions(MemorySegment plan, MemorySegment forward, MemorySegment backward) {}

  /** Throws {@link LoadRefusal} if the library is not one these bindings can call. */
  NativeLibrary(String name, String origin, SymbolLookup symbols) throws LoadRefusal {
    this.name = name;
    this.origin = origin;
    // Before anything else: a library of another version may well lack the other functions.
    checkVersion(find(symbols, "fovea_abi_version"));
    libraryQuery = find(symbols, "fovea_library_query");
    deviceQuery = find(symbols, "fovea_device_query");
    prepare = find(symbols, "fovea_prepare");
    loadModifier = find(symbols, "fovea_load_modifier");
    for (NativeOperation operation : NativeOperations.ALL) {
      functions.put(
          operation,
          new Functions(
              find(symbols, "fovea_plan_" + operation.name()),
              find(symbols, "fovea_run_" + operation.name()),
              operation.hasBackward()
                  ? find(symbols, "fovea_run_" + operation.name() + "_backward")
                  : null));
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = FoveaLibraryInfo.allocate(arena);
      int status = libraryQuery(info);
      if (status != Abi.OK) {
        throw new LoadRefusal(
            "fovea_library_query gave status %d: %s"
                .formatted(status, FoveaLibraryInfo.ERROR.get(info)));
      }
      backend = FoveaLibraryInfo.BACKEND.get(info);
      version = FoveaLibraryInfo.VERSION.get(info);
      build = FoveaLibraryInfo.BUILD.get(info);
    }
    if (!name.equals("fovea_" + backend) && !isStandIn()) {
      throw new LoadRefusal("it is backend \"%s\", not %s".formatted(backend, name));
    }
  }

  /** The simulator runs the sources of the CUDA library; whoever names its file wants it. */
  private boolean isStandIn() {
    return name.equals("fovea_cuda") && backend.equals("sim");
  }

  /** Name without prefix and suffix: {@code "fovea_cpu"}. */
  public String name() {
    return name;
  }

  /** Where it was loaded from. */
  public String origin() {
    return origin;
  }

  /** What the library calls itself: {@code "cpu"}, {@code "cuda"}, {@code "sim"}. */
  public String backend() {
    return backend;
  }

  /** Version of the product it was built from. */
  public String version() {
    return version;
  }

  /** Compiler, its version, targets. */
  public String build() {
    return build;
  }

  LoadReport.Library description() {
    return new LoadReport.Library(origin, backend, version, build);
  }

  /** {@code fovea_library_query}. */
  public int libraryQuery(MemorySegment info) {
    try {
      return (int) Handles.LIBRARY_QUERY.invokeExact(libraryQuery, info);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_device_query}. */
  public int deviceQuery(int index, MemorySegment device) {
    try {
      return (int) Handles.DEVICE_QUERY.invokeExact(deviceQuery, index, device);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_plan_<operation>}, of the pass that the spec says. */
  public int plan(
      NativeOperation operation, MemorySegment spec, MemorySegment device, MemorySegment plan) {
    try {
      return (int) Handles.PLAN.invokeExact(functions.get(operation).plan, spec, device, plan);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_prepare}. */
  public int prepare(MemorySegment plan) {
    try {
      return (int) Handles.PREPARE.invokeExact(prepare, plan);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_load_modifier}. */
  public int loadModifier(
      long key, int pass, int variant, MemorySegment image, MemorySegment error) {
    try {
      return (int)
          Handles.LOAD_MODIFIER.invokeExact(loadModifier, key, pass, variant, image, error);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** What {@link NativeOperation#run} calls: look it up once. */
  public MemorySegment runFunction(NativeOperation operation, int pass) {
    Functions all = functions.get(operation);
    return pass == Abi.FORWARD ? all.forward : all.backward;
  }

  @Override
  public String toString() {
    return name + " " + version + " from " + origin;
  }

  private static void checkVersion(MemorySegment function) throws LoadRefusal {
    int found;
    try {
      found = (int) Handles.ABI_VERSION.invokeExact(function);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
    if (found != Abi.VERSION) {
      throw new LoadRefusal(
          "the library has ABI version %d, these bindings need %d: take both from one release"
              .formatted(found, Abi.VERSION));
    }
  }

  private static MemorySegment find(SymbolLookup symbols, String function) throws LoadRefusal {
    return symbols
        .find(function)
        .orElseThrow(() -> new LoadRefusal("not a Fovea library: it has no symbol " + function));
  }
}

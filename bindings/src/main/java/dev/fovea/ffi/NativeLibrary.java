package dev.fovea.ffi;

import dev.fovea.ffi.report.LoadReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;

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
  private final MemorySegment planAttention;
  private final MemorySegment planAttentionBackward;
  private final MemorySegment prepareAttention;
  private final MemorySegment runAttention;
  private final MemorySegment runAttentionBackward;

  /** Throws {@link LoadRefusal} if the library is not one these bindings can call. */
  NativeLibrary(String name, String origin, SymbolLookup symbols) throws LoadRefusal {
    this.name = name;
    this.origin = origin;
    // Before anything else: a library of another version may well lack the other functions.
    checkVersion(find(symbols, "fovea_abi_version"));
    libraryQuery = find(symbols, "fovea_library_query");
    deviceQuery = find(symbols, "fovea_device_query");
    planAttention = find(symbols, "fovea_plan_attention");
    planAttentionBackward = find(symbols, "fovea_plan_attention_backward");
    prepareAttention = find(symbols, "fovea_prepare_attention");
    runAttention = find(symbols, "fovea_run_attention");
    runAttentionBackward = find(symbols, "fovea_run_attention_backward");
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

  /** {@code fovea_plan_attention}. */
  public int planAttention(MemorySegment spec, MemorySegment device, MemorySegment plan) {
    try {
      return (int) Handles.PLAN_ATTENTION.invokeExact(planAttention, spec, device, plan);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_plan_attention_backward}. */
  public int planAttentionBackward(
      MemorySegment spec, MemorySegment gradients, MemorySegment device, MemorySegment plan) {
    try {
      return (int)
          Handles.PLAN_ATTENTION_BACKWARD.invokeExact(
              planAttentionBackward, spec, gradients, device, plan);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_prepare_attention}. */
  public int prepareAttention(MemorySegment plan) {
    try {
      return (int) Handles.PREPARE_ATTENTION.invokeExact(prepareAttention, plan);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_run_attention}; absent operands are {@link MemorySegment#NULL}. */
  public int runAttention(
      MemorySegment plan,
      MemorySegment call,
      MemorySegment query,
      MemorySegment key,
      MemorySegment value,
      MemorySegment bias,
      MemorySegment alibiSlopes,
      MemorySegment sinks,
      MemorySegment cuSeqlensQ,
      MemorySegment cuSeqlensK,
      MemorySegment queryLengths,
      MemorySegment keyLengths,
      MemorySegment out,
      MemorySegment lse,
      MemorySegment weights,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream) {
    try {
      return (int)
          Handles.RUN_ATTENTION.invokeExact(
              runAttention,
              plan,
              call,
              query,
              key,
              value,
              bias,
              alibiSlopes,
              sinks,
              cuSeqlensQ,
              cuSeqlensK,
              queryLengths,
              keyLengths,
              out,
              lse,
              weights,
              workspace,
              scratch,
              stream);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  /** {@code fovea_run_attention_backward}; absent operands are {@link MemorySegment#NULL}. */
  public int runAttentionBackward(
      MemorySegment plan,
      MemorySegment call,
      MemorySegment dout,
      MemorySegment query,
      MemorySegment key,
      MemorySegment value,
      MemorySegment out,
      MemorySegment lse,
      MemorySegment bias,
      MemorySegment alibiSlopes,
      MemorySegment sinks,
      MemorySegment cuSeqlensQ,
      MemorySegment cuSeqlensK,
      MemorySegment queryLengths,
      MemorySegment keyLengths,
      MemorySegment dquery,
      MemorySegment dkey,
      MemorySegment dvalue,
      MemorySegment dbias,
      MemorySegment dalibiSlopes,
      MemorySegment dsinks,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream) {
    try {
      return (int)
          Handles.RUN_ATTENTION_BACKWARD.invokeExact(
              runAttentionBackward,
              plan,
              call,
              dout,
              query,
              key,
              value,
              out,
              lse,
              bias,
              alibiSlopes,
              sinks,
              cuSeqlensQ,
              cuSeqlensK,
              queryLengths,
              keyLengths,
              dquery,
              dkey,
              dvalue,
              dbias,
              dalibiSlopes,
              dsinks,
              workspace,
              scratch,
              stream);
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
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

package dev.fovea.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * NVRTC, which compiles CUDA C++ while a program runs: {@code libnvrtc.so} of a CUDA toolkit, found
 * where the system looks for libraries or by the property {@value #PROPERTY}. Thread-safe.
 */
public final class Nvrtc {
  /** The file of the library. */
  public static final String PROPERTY = "fovea.nvrtc.path";

  /** Where the system looks: the newest first. */
  private static final List<String> NAMES =
      List.of("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so");

  private static final int COMPILATION_FAILED = 6; // NVRTC_ERROR_COMPILATION

  private static final FunctionDescriptor TWO = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);

  private final String file;
  private final MethodHandle create;
  private final MethodHandle compile;
  private final MethodHandle destroy;
  private final MethodHandle errorText;
  private final MethodHandle logSize;
  private final MethodHandle log;
  private final MethodHandle cubinSize;
  private final MethodHandle cubin;

  private Nvrtc(String file, SymbolLookup symbols) throws LoadRefusal {
    this.file = file;
    create =
        downcall(
            symbols,
            "nvrtcCreateProgram",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS));
    compile =
        downcall(
            symbols,
            "nvrtcCompileProgram",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS));
    destroy = downcall(symbols, "nvrtcDestroyProgram", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    errorText = downcall(symbols, "nvrtcGetErrorString", FunctionDescriptor.of(ADDRESS, JAVA_INT));
    logSize = downcall(symbols, "nvrtcGetProgramLogSize", TWO);
    log = downcall(symbols, "nvrtcGetProgramLog", TWO);
    cubinSize = downcall(symbols, "nvrtcGetCUBINSize", TWO);
    cubin = downcall(symbols, "nvrtcGetCUBIN", TWO);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle downcall(
      SymbolLookup symbols, String function, FunctionDescriptor descriptor) throws LoadRefusal {
    MemorySegment address =
        symbols.find(function).orElseThrow(() -> new LoadRefusal("it has no " + function));
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }

  /** Not initialised before it is asked for. */
  private static final class Found {
    static final ToolkitLibrary<Nvrtc> NOW =
        ToolkitLibrary.find(PROPERTY, NAMES, Nvrtc::open, Nvrtc::new);
  }

  private static SymbolLookup open(Path file) throws LoadRefusal {
    // NVRTC asks for it by its bare name, which the linker knows once it is loaded.
    try (Stream<Path> beside = Files.list(file.getParent())) {
      for (Path each : beside.sorted().toList()) {
        if (each.getFileName().toString().startsWith("libnvrtc-builtins.so")) {
          DynamicLinker.open(each);
        }
      }
    } catch (IOException e) {
      throw new LoadRefusal(e.toString());
    }
    return DynamicLinker.open(file);
  }

  /**
   * The library of this process.
   *
   * @throws UnsupportedOperationException if there is none
   */
  public static Nvrtc get() {
    return Found.NOW.require("NVRTC", "libnvrtc.so", PROPERTY);
  }

  /**
   * Compiles to machine code.
   *
   * @param name of the source, in what the compiler says
   * @param headers texts by the names that sources include them by
   * @param options of the compiler, {@code --gpu-architecture=sm_XY} among them
   * @return a cubin
   * @throws IllegalStateException with what the compiler says, if it does not take the source
   */
  public byte[] compile(
      String name, String source, Map<String, String> headers, List<String> options) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment program = arena.allocate(ADDRESS);
      List<String> names = List.copyOf(headers.keySet());
      check(
          (int)
              create.invokeExact(
                  program,
                  arena.allocateFrom(source),
                  arena.allocateFrom(name),
                  names.size(),
                  texts(arena, names.stream().map(headers::get).toList()),
                  texts(arena, names)));
      try {
        return compile(arena, name, program.get(ADDRESS, 0), options);
      } finally {
        check((int) destroy.invokeExact(program));
      }
    } catch (Throwable t) {
      throw Handles.unchecked(t);
    }
  }

  private byte[] compile(Arena arena, String name, MemorySegment program, List<String> options)
      throws Throwable {
    int status = (int) compile.invokeExact(program, options.size(), texts(arena, options));
    if (status == COMPILATION_FAILED) {
      MemorySegment text = read(arena, program, logSize, log);
      throw new IllegalStateException(
          "%s does not compile %s:%n%s".formatted(file, name, text.getString(0)));
    }
    check(status);
    return read(arena, program, cubinSize, cubin).toArray(JAVA_BYTE);
  }

  private MemorySegment read(
      Arena arena, MemorySegment program, MethodHandle sizeOf, MethodHandle get) throws Throwable {
    MemorySegment size = arena.allocate(JAVA_LONG);
    check((int) sizeOf.invokeExact(program, size));
    MemorySegment to = arena.allocate(Math.max(1, size.get(JAVA_LONG, 0)));
    check((int) get.invokeExact(program, to));
    return to;
  }

  private static MemorySegment texts(Arena arena, List<String> texts) {
    MemorySegment all = arena.allocate(ADDRESS, Math.max(1, texts.size()));
    for (int i = 0; i < texts.size(); i++) {
      all.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
    }
    return all;
  }

  private void check(int status) throws Throwable {
    if (status != 0) {
      MemorySegment text = (MemorySegment) errorText.invokeExact(status);
      throw new IllegalStateException("%s: %s".formatted(file, Memory.text(text.address())));
    }
  }
}

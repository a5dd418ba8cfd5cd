package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.Nvrtc;
import dev.fovea.spi.DeviceBackend;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Compiles score modifiers into kernels of CUDA devices: the kernels' own sources, which are
 * resources of this module, with the words of a program for constants. What has been compiled stays
 * loaded as long as the process lives, and is compiled once.
 */
final class ModifierCompiler {
  private static final String SOURCES = "kernels/";

  /** Where sources lie that others include, as the native build says. */
  private static final List<String> FOLDERS = List.of("", "include/", "cuda/", "cuda/nvrtc/");

  static final Pattern INCLUDE =
      Pattern.compile("^#include [<\"]([^>\"]+)[>\"]", Pattern.MULTILINE);

  /** Kernels that are there. */
  private record Kernels(NativeLibrary library, int capability, int pass, int variant, long key) {}

  private static final Set<Kernels> loaded = new HashSet<>(); // guarded by the class

  private ModifierCompiler() {}

  /**
   * Makes what a plan needs to be prepared.
   *
   * @throws UnsupportedOperationException if there is no compiler
   */
  static void compile(AttentionPlan plan, ModifierProgram program) {
    DeviceBackend backend = plan.backend();
    // The simulator of CUDA devices runs programs as they are, as a CPU does.
    if (!backend.library().backend().equals("cuda")) {
      return;
    }
    Kernels kernels =
        new Kernels(
            backend.library(),
            FoveaDeviceInfo.COMPUTE_CAPABILITY.get(backend.info()),
            FoveaPlan.PASS.get(plan.block()),
            FoveaPlan.VARIANT.get(plan.block()),
            program.key());
    synchronized (ModifierCompiler.class) {
      if (!loaded.contains(kernels)) {
        load(backend, kernels, image(kernels.capability, kernels.pass, kernels.variant, program));
        loaded.add(kernels);
      }
    }
  }

  /** A cubin with the kernels of a variant of a pass. */
  static byte[] image(int capability, int pass, int variant, ModifierProgram program) {
    String name = name(pass);
    String source =
        """
        #define FOVEA_MODIFIER_WORDS %s
        #define FOVEA_VARIANT %d
        %s
        """
            .formatted(
                Arrays.stream(program.words())
                    .mapToObj(Integer::toString)
                    .collect(Collectors.joining(",")),
                variant,
                include(name));
    String architecture = "sm_" + capability + (capability >= 90 ? "a" : "");
    return Nvrtc.get()
        .compile(
            name + ".cu",
            source,
            headers(pass),
            List.of(
                "--gpu-architecture=" + architecture,
                "--std=c++20",
                "--device-as-default-execution-space",
                "--device-int128",
                "-DNDEBUG"));
  }

  private static String name(int pass) {
    return pass == Abi.FORWARD ? "modified_forward" : "modified_backward";
  }

  private static String include(String name) {
    return "#include \"cuda/attention/%s.cuh\"".formatted(name);
  }

  /** All that the kernels of a pass include, by the names that they have for it. */
  static Map<String, String> headers(int pass) {
    Map<String, String> headers = new TreeMap<>();
    addHeaders(include(name(pass)), headers);
    return headers;
  }

  private static void addHeaders(String source, Map<String, String> headers) {
    Matcher include = INCLUDE.matcher(source);
    while (include.find()) {
      String name = include.group(1);
      if (!headers.containsKey(name)) {
        String text = read(name);
        if (text != null) { // else what only other compilers include
          headers.put(name, text);
          addHeaders(text, headers);
        }
      }
    }
  }

  private static String read(String name) {
    for (String folder : FOLDERS) {
      try (InputStream stream =
          ModifierCompiler.class.getResourceAsStream(SOURCES + folder + name)) {
        if (stream != null) {
          return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return null;
  }

  private static void load(DeviceBackend backend, Kernels kernels, byte[] image) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment code = arena.allocateFrom(ValueLayout.JAVA_BYTE, image);
      MemorySegment error = arena.allocate(Abi.ERROR_LENGTH);
      int status;
      backend.enter();
      try {
        status =
            kernels.library.loadModifier(kernels.key, kernels.pass, kernels.variant, code, error);
      } finally {
        backend.leave();
      }
      if (status != Abi.OK) {
        throw Failures.of(status, error.getString(0));
      }
    }
  }
}

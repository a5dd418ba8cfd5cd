package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Shared libraries of a few lines, to see what the loader makes of them. */
final class TinyLibrary {
  /** Every function; {@code @ABI@} and {@code @BACKEND@} are filled in. */
  private static final String SOURCE =
      """
      #include <stdint.h>
      #include <string.h>
      int32_t fovea_abi_version(void) { return @ABI@; }
      int32_t fovea_library_query(char* info) {
        strcpy(info + 8, "@BACKEND@");
        strcpy(info + 24, "9.9.9");
        strcpy(info + 56, "tiny");
        return 0;
      }
      int32_t fovea_device_query(int32_t index, void* device) { return index == 0 ? 0 : 1; }
      int32_t fovea_plan_attention(void* spec, void* device, void* plan) { return 2; }
      int32_t fovea_prepare(void* plan) { return 3; }
      int32_t fovea_load_modifier(void) { return 2; }
      """;

  private TinyLibrary() {}

  static Path complete(Path folder, int abi, String backend) throws Exception {
    return compile(
        folder,
        SOURCE.replace("@ABI@", Integer.toString(abi)).replace("@BACKEND@", backend)
            + run("", Abi.FORWARD, 4)
            + run("_backward", Abi.BACKWARD, 6)
            + others());
  }

  /** A run of attention that says which of its arguments is not so many bytes behind the first. */
  private static String run(String suffix, int pass, int status) {
    int count = NativeAttention.OPERATION.operands(pass).size() + 5;
    List<String> names = IntStream.range(0, count).mapToObj(i -> "a" + i).toList();
    return """
    int32_t fovea_run_attention%s(void* %s) {
      void* all[] = {%s};
      for (int i = 0; i < %d; i++) {
        if (all[i] != (char*)a0 + i) return 100 + i;
      }
      return %d;
    }
    """
        .formatted(suffix, String.join(", void* ", names), String.join(", ", names), count, status);
  }

  /** Functions of other operations than attention, which nobody calls. */
  private static String others() {
    return NativeOperations.ALL.stream()
        .filter(it -> it != NativeAttention.OPERATION)
        .map(
            it ->
                """
                int32_t fovea_plan_@(void) { return 2; }
                int32_t fovea_run_@(void) { return 2; }
                int32_t fovea_run_@_backward(void) { return 2; }
                """
                    .replace("@", it.name()))
        .collect(Collectors.joining());
  }

  /** Compiles {@code source} to {@code libfovea_cpu.so} in {@code folder}. */
  static Path compile(Path folder, String source) throws Exception {
    String compiler = compiler();
    Files.createDirectories(folder);
    Path c = Files.writeString(folder.resolve("tiny.c"), source);
    Path library = folder.resolve(System.mapLibraryName("fovea_cpu"));
    Process process =
        new ProcessBuilder(compiler, "-shared", "-fPIC", "-o", library.toString(), c.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), output);
    return library;
  }

  private static String compiler() throws IOException {
    var found =
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .map(folder -> Path.of(folder, "cc"))
            .filter(Files::isExecutable)
            .findFirst();
    assumeTrue(found.isPresent(), "needs a C compiler, cc, on the PATH");
    return found.orElseThrow().toString();
  }
}

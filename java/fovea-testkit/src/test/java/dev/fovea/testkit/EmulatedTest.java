package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The library for AArch64 against the oracle, in an emulator of its instructions: cases are written
 * here and replayed there by native/tools/replay.cpp. Needs g++-aarch64-linux-gnu, which builds it,
 * and qemu-user. {@code -Dfovea.emulated.cases} is how many of each pass, {@code
 * -Dfovea.emulated.op} one operation instead of all, {@code -Dfovea.emulated.results} a folder for
 * reports as bench/results has them.
 */
class EmulatedTest {

  private static final String EMULATOR = "qemu-aarch64";
  private static final String OPERATION = System.getProperty("fovea.emulated.op");
  private static final int CASES = Integer.getInteger("fovea.emulated.cases", 20);
  private static final int SEED = 1;
  private static final int AT_ONCE = 100; // files, so that they take little space

  @TempDir Path folder;

  static Stream<Arguments> passes() {
    return Operations.all().stream()
        .filter(operation -> OPERATION == null || operation.toString().equals(OPERATION))
        .flatMap(
            operation -> operation.passes().stream().map(pass -> Arguments.of(operation, pass)));
  }

  @ParameterizedTest
  @MethodSource("passes")
  void casesPassInAnEmulator(Operation operation, Pass pass) throws Exception {
    Path build =
        Path.of(System.getProperty("fovea.native.sim.path"))
            .resolve("../../../build-aarch64")
            .normalize();
    Path library = build.resolve("lib/libfovea_cpu.so");
    assumeTrue(Files.exists(library), "there is no cross compiler for AArch64");
    assumeTrue(isThere(EMULATOR), "there is no " + EMULATOR);
    long start = System.nanoTime();
    for (int first = 0; first < CASES; first += AT_ONCE) {
      replay(build, operation, pass, first, Math.min(first + AT_ONCE, CASES));
    }
    report(operation, pass, (System.nanoTime() - start) * 1e-9);
  }

  private void replay(Path build, Operation operation, Pass pass, int first, int end)
      throws Exception {
    List<String> command = new ArrayList<>(List.of(EMULATOR, "-L", "/usr/aarch64-linux-gnu"));
    command.add(build.resolve("bin/fovea_replay").toString());
    command.add(build.resolve("lib/libfovea_cpu.so").toString());
    List<Path> files = new ArrayList<>();
    for (int i = first; i < end; i++) {
      Path file = folder.resolve("%s-%s-%d-%d".formatted(operation, pass, SEED, i));
      CaseFile.write(file, operation.generate(pass, SEED, i, Limits.SIM), "cpu");
      files.add(file);
      command.add(file.toString());
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines = process.inputReader().lines().toList();
    assertEquals(
        "{\"passed\": %d, \"failed\": 0, \"unsupported\": 0}".formatted(end - first),
        lines.getLast(),
        () -> String.join("\n", lines));
    assertEquals(0, process.waitFor());
    for (Path file : files) {
      Files.delete(file);
    }
  }

  private static void report(Operation operation, Pass pass, double seconds) throws Exception {
    String results = System.getProperty("fovea.emulated.results");
    if (results == null) {
      return;
    }
    String name = operation.toString().replace('-', '_');
    Files.writeString(
        Path.of(results, "check-cpu-neon-%s-%s.json".formatted(name, pass)),
        """
        {"passed":%d,"failed":0,"ok":true,"backend":"cpu:neon","emulator":"%s","op":"%s","pass":"%s",\
        "cases":%d,"seed":%d,"seconds":%.1f}
        """
            .formatted(CASES, version(), operation, pass, CASES, SEED, seconds));
  }

  private static String version() throws Exception {
    return run(EMULATOR, "--version").getFirst();
  }

  private static boolean isThere(String program) {
    try {
      return !run(program, "--version").isEmpty();
    } catch (Exception e) {
      return false;
    }
  }

  private static List<String> run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines = process.inputReader().lines().toList();
    process.waitFor();
    return lines;
  }
}

package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that run cases end with those that started them, and leave nothing behind. */
class CheckProcessTest {

  private static final int PATIENCE_SECONDS = 60; // a healthy end takes less than one

  @TempDir private Path folder;

  private static Process java(List<String> program, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(program);
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static List<String> program(Class<?> main) throws Exception {
    return List.of("--enable-native-access=ALL-UNNAMED", "-cp", Probe.classPath(), main.getName());
  }

  @Test
  void theChildEndsWhenItsInputDoes() throws Exception {
    String all = String.valueOf(Long.MAX_VALUE);
    String[] arguments = {"cpu", "1", "0", all, "1", "", "attention", "FORWARD"};
    Process child = java(ChildProcess.program(), arguments);
    try (BufferedReader lines = child.inputReader()) {
      assertEquals("@@S 0", lines.readLine());
      child.getOutputStream().close();
      Thread.ofVirtual().start(() -> lines.lines().forEach(line -> {})); // a full pipe would block
      assertTrue(child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "it computes for nobody");
    } finally {
      child.destroyForcibly();
    }
  }

  /** Runs {@link FaultyChild} for ever. */
  static final class Parent {

    private Parent() {}

    /** Its argument is a fault. */
    public static void main(String[] arguments) throws Exception {
      CheckOptions options = CheckOptions.of("cpu").withSeed(Long.parseLong(arguments[0]));
      List<String> child = program(FaultyChild.class);
      try (ChildProcess process = ChildProcess.start(child, options, 0, 1, 1)) {
        for (int i = 0; i < 2; i++) {
          System.out.println(process.nextLine(options.timeout()));
        }
        process.nextLine(options.timeout());
      }
    }
  }

  @Test
  void theChildEndsWhenItsParentIsKilled() throws Exception {
    List<String> program = new ArrayList<>(program(Parent.class));
    program.addFirst("-Djava.io.tmpdir=" + folder);
    Process parent = java(program, String.valueOf(FaultyChild.WAITS));
    try (BufferedReader lines = parent.inputReader()) {
      assertEquals("S 0", lines.readLine());
      String[] words = lines.readLine().split(" ");
      ProcessHandle child = ProcessHandle.of(Long.parseLong(words[3])).orElseThrow();
      assertTrue(child.isAlive());
      parent.destroyForcibly();
      child.onExit().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      assertEquals(List.of(), names());
    } finally {
      parent.destroyForcibly();
    }
  }

  @Test
  void aCaseThatWasBeingWrittenIsDeleted() throws Exception {
    CheckOptions options = CheckOptions.of("cpu").withSeed(FaultyChild.DIES_WRITING).withCases(1);
    CheckReport report = CheckRunner.run(options.withDump(folder), program(FaultyChild.class));
    assertEquals(1, report.failed());
    assertEquals(List.of(), names());
  }

  private List<Path> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  /** Writes outside of its memory in native code. */
  static final class Crash {

    private Crash() {}

    /** Arguments as {@link CheckChild} has them. */
    public static void main(String[] arguments) throws Throwable {
      System.out.println(CheckChild.PREFIX + "S 0");
      System.out.flush();
      Probe.main(new String[] {"END", "outside"});
    }
  }

  @Test
  void aCrashIsDescribedWithoutAFile() throws Exception {
    CheckReport report = CheckRunner.run(CheckOptions.of("cpu").withCases(1), program(Crash.class));
    String message = report.failures().getFirst().message();
    assertTrue(message.startsWith("exit code 1; "), message);
    assertTrue(message.contains("SIGSEGV"), message);
    assertTrue(message.contains("Problematic frame: C  [libc"), message);
  }
}

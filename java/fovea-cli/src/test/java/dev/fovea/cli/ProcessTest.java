package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands as processes: how they end, and what they leave behind. */
class ProcessTest {

  private static final int TERMINATED = 128 + 15;

  @TempDir private Path folder;

  private Path temporary;
  private Path errors;

  @BeforeEach
  void makeFolders() throws IOException {
    temporary = Files.createDirectory(folder.resolve("tmp"));
    errors = folder.resolve("errors");
  }

  /** A process in {@link #folder}; the words are options of java, a null, and those of fovea. */
  private ProcessBuilder command(String... words) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Djava.io.tmpdir=" + temporary);
    command.add(
        "--enable-native-access=dev.fovea.ffi,dev.fovea.testkit,dev.fovea.cli,ai.djl.tokenizers,com.microsoft.onnxruntime");
    command.add("-p");
    command.add(System.getProperty("jdk.module.path"));
    command.add("-cp"); // where the model lies
    command.add(System.getProperty("java.class.path"));
    for (String word : words) {
      if (word == null) {
        command.add("-m");
        command.add("dev.fovea.cli/" + Main.class.getName());
      } else {
        command.add(word);
      }
    }
    return new ProcessBuilder(command).directory(folder.toFile()).redirectError(errors.toFile());
  }

  /** Runs to the end and returns the exit code. */
  private int run(String... words) throws Exception {
    return command(words).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
  }

  private void assertOneError(String start) throws IOException {
    List<String> lines = Files.readAllLines(errors);
    assertEquals(1, lines.size(), lines.toString());
    assertTrue(lines.getFirst().startsWith(start), lines.toString());
  }

  private static List<Path> list(Path path) throws IOException {
    try (Stream<Path> files = Files.list(path)) {
      return files.sorted().toList();
    }
  }

  @Test
  void aFullDeviceAsStandardOutputIsAFailure() throws Exception {
    Process info = command(null, "info").redirectOutput(new File("/dev/full")).start();
    assertEquals(Main.FAILED, info.waitFor());
    assertOneError("Standard output cannot be written");
  }

  @Test
  void theDemoLeavesNoFolder() throws Exception {
    Files.writeString(folder.resolve("lines.txt"), "a cat\na dog\n");
    String[] line = {null, "demo", "--rounds", "0", "--text", "lines.txt", "--out", "out.npy"};
    assertEquals(0, run(line), () -> read(errors));
    assertEquals(List.of(), list(temporary));
    assertTrue(Files.exists(folder.resolve("out.npy")));
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return e.toString();
    }
  }

  @Test
  void aSignalLeavesNoFile() throws Exception {
    List<Path> before = list(folder);
    Process demo =
        command(null, "demo", "--train", "--steps", "1000000", "--plot", "loss.png").start();
    try (BufferedReader lines = demo.inputReader()) {
      assertTrue(lines.readLine().startsWith("A Transformer"));
      demo.toHandle().destroy();
      assertEquals(TERMINATED, demo.waitFor());
    } finally {
      demo.destroyForcibly();
    }
    Files.delete(errors);
    assertEquals(before, list(folder));
    assertEquals(List.of(), list(temporary));
  }

  @Test
  void tooLittleMemoryIsSaid() throws Exception {
    assertEquals(Main.FAILED, run("-Xmx16m", null, "demo", "--rounds", "0", "why"));
    assertOneError("There is not enough memory for this: Java heap space");
    assertEquals(List.of(), list(temporary));
  }

  @Test
  void aMissingTemporaryDirectoryIsSaid() throws Exception {
    Files.delete(temporary);
    String built = System.getProperty("fovea.native.sim.path").replace("_sim", "_cpu");
    String library = "-Dfovea.native.cpu.path=" + built; // which is not extracted
    assertEquals(Main.FAILED, run(library, null, "bench"));
    String reason =
        "OpenBLAS could not be loaded: no folder can be made in the temporary directory ";
    assertTrue(Files.readString(errors).contains(reason + temporary), () -> read(errors));
    assertEquals(Main.USAGE, run(library, null, "demo", "why"));
    assertTrue(Files.readString(errors).contains("temporary directory " + temporary + "; -Djava"));
  }

  @Test
  void aMissingLibraryIsSaid() throws Exception {
    String missing = "-Dfovea.native.cpu.path=/nonexistent.so";
    for (String line : List.of("check --cases 3", "bench", "demo why", "demo --train")) {
      List<String> words = new ArrayList<>(Arrays.asList(line.split(" ")));
      words.addFirst(null);
      words.addFirst(missing);
      assertEquals(Main.FAILED, run(words.toArray(String[]::new)), line);
      String text = Files.readString(errors);
      assertTrue(text.startsWith("fovea_cpu could not be loaded:\n  -Dfovea"), text);
      assertTrue(text.contains("/nonexistent.so: there is no such file."), text);
      assertFalse(text.contains("\tat "), text);
    }
  }
}

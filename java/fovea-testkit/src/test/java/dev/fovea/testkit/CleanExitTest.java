package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class CleanExitTest {

  private static final int TERMINATED = 128 + 15;

  @Test
  void theFolderIsGoneAfterwards() throws IOException {
    AtomicReference<Path> seen = new AtomicReference<>();
    String result =
        CleanExit.inFolder(
            "fovea-test-",
            folder -> {
              seen.set(folder);
              Files.createDirectories(folder.resolve("a/b"));
              Files.writeString(folder.resolve("a/b/c"), "text");
              return "done";
            });
    assertEquals("done", result);
    assertFalse(Files.exists(seen.get()));
  }

  @Test
  void theFolderIsGoneAfterAFailure() {
    AtomicReference<Path> seen = new AtomicReference<>();
    assertThrows(
        IOException.class,
        () ->
            CleanExit.inFolder(
                "fovea-test-",
                folder -> {
                  seen.set(folder);
                  throw new IOException("failed");
                }));
    assertFalse(Files.exists(seen.get()));
  }

  /** Works in a folder until its input ends. */
  static final class Worker {

    private Worker() {}

    /** Takes no arguments. */
    public static void main(String[] arguments) throws IOException {
      Thread ending = new Thread(() -> System.out.println("ending"));
      Runtime.getRuntime().addShutdownHook(ending);
      CleanExit.inFolder(
          "fovea-test-",
          folder -> {
            Files.writeString(folder.resolve("library"), "half");
            System.out.println(folder);
            return System.in.transferTo(OutputStream.nullOutputStream());
          });
    }
  }

  @Test
  void aSignalWaitsForTheWorkToCleanUp() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process worker =
        new ProcessBuilder(java, "-cp", Probe.classPath(), Worker.class.getName()).start();
    try (BufferedReader lines = worker.inputReader()) {
      Path folder = Path.of(lines.readLine());
      assertTrue(Files.exists(folder.resolve("library")));
      worker.toHandle().destroy();
      assertEquals("ending", lines.readLine());
      worker.getOutputStream().close();
      assertEquals(TERMINATED, worker.waitFor());
      assertFalse(Files.exists(folder));
    } finally {
      worker.destroyForcibly();
    }
  }
}

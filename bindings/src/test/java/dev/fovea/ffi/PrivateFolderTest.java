package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Folders that killed processes left are removed, and no others. */
class PrivateFolderTest extends LoaderTest {
  private static final String OF_A_PROCESS = "fovea-1-1-1";

  @Test
  @Timeout(60)
  void whatAKilledProcessLeftIsRemovedAndALivingOneKeepsItsOwn() throws Exception {
    Process living = holder();
    Process killed = holder();
    Path kept = Path.of(living.inputReader().readLine());
    Path left = Path.of(killed.inputReader().readLine());
    try {
      PrivateFolder.create().close();
      assertTrue(Files.exists(kept.resolve("library")), "both live");
      assertTrue(Files.exists(left.resolve("library")), "both live");

      killed.destroyForcibly().waitFor();
      try (PrivateFolder own = PrivateFolder.create()) {
        PrivateFolder.create().close();
        assertTrue(Files.exists(kept.resolve("library")), "one lives");
        assertFalse(Files.exists(left), "the other was killed");
        assertTrue(Files.exists(own.path()), "this process lives");
      }
      living.outputWriter().close();
      assertEquals(0, living.waitFor());
      assertEquals(List.of(), temporary());
    } finally {
      living.destroyForcibly();
      killed.destroyForcibly();
    }
  }

  /** A process has made its folder, and was killed or is about to lock it. */
  @Test
  void aFolderWithoutALockGoesWhenItIsOld() throws Exception {
    Path made = Files.createDirectory(folder.resolve("temporary").resolve(OF_A_PROCESS));
    Files.writeString(made.resolve("libfovea_cpu.so"), "half of");
    PrivateFolder.create().close();
    assertEquals(List.of(made), temporary());

    age(made);
    PrivateFolder.create().close();
    assertEquals(List.of(), temporary());
  }

  @Test
  void othersFoldersAreLeftAlone() throws Exception {
    Path made = Files.createDirectory(folder.resolve("temporary").resolve(OF_A_PROCESS));
    Files.writeString(made.resolve("lock"), "");
    UserPrincipal other =
        FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByName("12345");
    PrivateFolder.sweep(made.getParent(), other);
    assertEquals(List.of(made), temporary());

    PrivateFolder.sweep(made.getParent(), Files.getOwner(made));
    assertEquals(List.of(), temporary());
  }

  @Test
  void namesThatAreNotOursAreLeftAlone() throws Exception {
    Path temporary = folder.resolve("temporary");
    Path outside = Files.createDirectory(folder.resolve("outside"));
    Path file = Files.writeString(outside.resolve("lock"), "");
    Path link = Files.createSymbolicLink(temporary.resolve(OF_A_PROCESS), outside);
    Path yours = Files.createDirectory(temporary.resolve("fovea-results-1"));
    Path plain = Files.writeString(temporary.resolve("fovea-2-2-2"), "");
    age(outside);
    age(yours);
    PrivateFolder.create().close();
    assertEquals(List.of(link, plain, yours), temporary());
    assertTrue(Files.exists(file));
  }

  @Test
  void aFolderThatIsGoneIsClosedAllTheSame() throws Exception {
    PrivateFolder made = PrivateFolder.create();
    for (Path file : List.of(made.path().resolve("lock"), made.path())) {
      Files.delete(file);
    }
    made.close();
    assertEquals(List.of(), temporary());
  }

  private static void age(Path folder) throws IOException {
    Files.setLastModifiedTime(folder, FileTime.from(Instant.now().minus(Duration.ofDays(1))));
  }

  /** Makes a folder in a JVM of its own, prints its path and keeps it until the input ends. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      try (PrivateFolder folder = PrivateFolder.create()) {
        Files.writeString(folder.path().resolve("library"), "");
        System.out.println(folder.path());
        while (System.in.read() >= 0) {}
      }
    }
  }

  private static Process holder() throws Exception {
    String path =
        Path.of(PrivateFolder.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            + java.io.File.pathSeparator
            + classes();
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"),
            "-cp",
            path,
            Holder.class.getName())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /** The folder of the test classes, which may be patched into the module. */
  private static Path classes() throws Exception {
    Path type = Path.of(Holder.class.getResource("PrivateFolderTest$Holder.class").toURI());
    return type.getParent().getParent().getParent().getParent();
  }
}

package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.report.LoadReport;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of a path that leads to no library: a sentence, and nothing is thrown. */
class NativePathTest extends LoaderTest {
  private static final String FILE = "fovea.native.cpu.path";
  private static final String FOLDER = "fovea.native.path";

  @ParameterizedTest
  @ValueSource(strings = {FILE, FOLDER})
  void aPathWithANulIsNone(String property) {
    System.setProperty(property, "/opt/\0fovea");
    assertRefused("this is no path: Nul character not allowed");
  }

  @ParameterizedTest
  @ValueSource(strings = {FILE, FOLDER})
  void anEmptyPathIsNotTheCurrentFolder(String property) {
    System.setProperty(property, "");
    assertRefused("-D" + property + "=: the path is empty");
  }

  @Test
  void aLibraryPathMayHaveEntriesThatAreNone() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", "/opt/\0fovea::" + file.getParent());
    assertEquals(file.toString(), load().origin());
  }

  @Test
  void aFolderIsNoFile() {
    System.setProperty(FILE, folder.toString());
    assertRefused(": " + folder.getFileName() + " is a folder, not a file");
  }

  @Test
  void aFileIsNoFolder() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty(FOLDER, file.toString());
    assertRefused(": libfovea_cpu.so is a file, not a folder");
  }

  @Test
  void aPipeIsNotWaitedFor() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    System.setProperty(FILE, pipe.toString());
    assertRefused(": pipe is no regular file");
  }

  @Test
  void aLoopOfLinksIsNamed() throws Exception {
    Path loop = folder.resolve("loop");
    Files.createSymbolicLink(loop, loop);
    System.setProperty(FILE, loop.toString());
    assertRefused("Too many levels of symbolic links");
    System.clearProperty(FILE);
    System.setProperty(FOLDER, loop.toString());
    assertRefused("Too many levels of symbolic links");
  }

  /** A folder without the library is passed over; one with a broken library is not. */
  @ParameterizedTest
  @ValueSource(strings = {"libfovea_cpu.so", "absent"})
  void aLinkInTheFolderThatLeadsNowhereEndsTheSearch(String target) throws Exception {
    Path system = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", system.getParent().toString());
    Path given = Files.createDirectory(folder.resolve("given"));
    Files.createSymbolicLink(given.resolve("libfovea_cpu.so"), Path.of(target));
    System.setProperty(FOLDER, given.toString());
    LoadReport report = assertRefused("symbolic link");
    assertEquals("-Dfovea.native.path=" + given, report.attempts().getLast().place());
  }

  @Test
  void aFolderOfTheLibrarysNameIsNoLibrary() throws Exception {
    Files.createDirectory(folder.resolve("libfovea_cpu.so"));
    System.setProperty(FOLDER, folder.toString());
    assertRefused("libfovea_cpu.so is a folder, not a file");
    System.clearProperty(FOLDER);
    System.setProperty("java.library.path", folder.toString());
    assertRefused("libfovea_cpu.so is a folder, not a file");
  }

  @Test
  void whatWasNotGivenIsNotMissedWhereTheLibraryIsFound() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", file.getParent().toString());
    LoadReport report = NativeLoader.load("fovea_cpu").report();
    assertTrue(report.attempts().getLast().refusal().isEmpty(), report.toString());
  }
}

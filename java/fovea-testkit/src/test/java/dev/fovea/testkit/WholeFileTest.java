package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {

  @TempDir private Path folder;

  private static void write(WholeFile file, String text) throws IOException {
    file.channel().write(StandardCharsets.UTF_8.encode(text));
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void theOldFileStaysUntilTheNewOneMoves() throws IOException {
    Path path = Files.writeString(folder.resolve("a"), "old");
    try (WholeFile file = WholeFile.begin(path)) {
      write(file, "new");
      file.complete();
      assertEquals("old", Files.readString(path));
      file.move();
    }
    assertEquals("new", Files.readString(path));
    assertEquals(List.of("a"), names());
  }

  @Test
  void whatIsNotMovedIsDeleted() throws IOException {
    try (WholeFile file = WholeFile.begin(folder.resolve("a"))) {
      write(file, "new");
    }
    assertEquals(List.of(), names());
  }

  @Test
  void linksStayAndLeadToTheNewFile() throws IOException {
    Files.writeString(folder.resolve("a"), "old");
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("a"));
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("b"));
    for (Path path : List.of(link, dangling)) {
      try (WholeFile file = WholeFile.begin(path)) {
        write(file, "new");
        file.move();
      }
      assertTrue(Files.isSymbolicLink(path));
      assertEquals("new", Files.readString(path));
    }
    assertEquals(List.of("a", "b", "dangling", "link"), names());
  }

  @Test
  void aReplacedFileKeepsItsPermissions() throws IOException {
    Path path = Files.writeString(folder.resolve("a"), "old");
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-r-----"));
    try (WholeFile file = WholeFile.begin(path)) {
      file.move();
    }
    assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
  }

  @Test
  void aDeviceIsWrittenAndStays() throws IOException {
    try (WholeFile file = WholeFile.begin(Path.of("/dev/null"))) {
      write(file, "nothing");
      file.move();
    }
    assertFalse(Files.isRegularFile(Path.of("/dev/null")));
  }

  @Test
  void placesThatCannotBeWrittenAreRefused() throws IOException {
    Path nowhere = folder.resolve("nowhere/a");
    assertThrows(NoSuchFileException.class, () -> WholeFile.begin(nowhere));
    Path circle = Files.createSymbolicLink(folder.resolve("circle"), Path.of("circle"));
    assertThrows(FileSystemLoopException.class, () -> WholeFile.begin(circle));
    assertThrows(IOException.class, () -> WholeFile.begin(folder));
    assertEquals(List.of("circle"), names());
  }
}

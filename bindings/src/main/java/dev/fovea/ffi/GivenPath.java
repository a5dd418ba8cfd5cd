package dev.fovea.ffi;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** Paths that a property names, with the reason in words where one leads nowhere. */
final class GivenPath {
  private GivenPath() {}

  static Path file(String text) throws LoadRefusal {
    return file(path(text));
  }

  static Path file(Path file) throws LoadRefusal {
    BasicFileAttributes attributes = attributes(file, "file");
    if (attributes.isDirectory()) {
      throw new LoadRefusal(file.getFileName() + " is a folder, not a file");
    }
    if (!attributes.isRegularFile()) { // opening a pipe would wait for somebody to write
      throw new LoadRefusal(file.getFileName() + " is no regular file");
    }
    return file;
  }

  static Path folder(String text) throws LoadRefusal {
    Path folder = path(text);
    if (!attributes(folder, "folder").isDirectory()) {
      throw new LoadRefusal(folder.getFileName() + " is a file, not a folder");
    }
    return folder;
  }

  /** Whether {@code file} is there, be it only a link that leads nowhere. */
  static boolean exists(Path file) {
    return Files.exists(file, LinkOption.NOFOLLOW_LINKS);
  }

  private static Path path(String text) throws LoadRefusal {
    if (text.isEmpty()) { // a path it is, that of the current folder, but nobody means that
      throw new LoadRefusal("the path is empty");
    }
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new LoadRefusal("this is no path: " + e.getReason());
    }
  }

  private static BasicFileAttributes attributes(Path path, String kind) throws LoadRefusal {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class);
    } catch (NoSuchFileException e) {
      throw new LoadRefusal(
          exists(path) ? "a symbolic link to nothing" : "there is no such " + kind);
    } catch (AccessDeniedException e) {
      throw new LoadRefusal("permission denied");
    } catch (FileSystemException e) { // a loop of links, a name too long
      throw new LoadRefusal(e.getReason() == null ? e.toString() : e.getReason());
    } catch (IOException e) {
      throw new LoadRefusal(e.toString());
    }
  }
}

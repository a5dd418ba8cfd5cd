package dev.fovea.cli.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files that artifacts carry. */
public final class Resources {

  private Resources() {}

  /**
   * Copies a file into a folder and returns the copy.
   *
   * @param resource path in the artifact
   * @param artifact what to install where it is missing
   * @throws IOException if it is missing or cannot be copied
   */
  public static Path copy(String resource, Path folder, String artifact) throws IOException {
    // By the loader, not by a class: the file may lie in no package, and in another module.
    ClassLoader loader = Resources.class.getClassLoader();
    try (InputStream in = loader.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("no " + resource + " here (" + artifact + ")");
      }
      Path file = folder.resolve(Path.of(resource).getFileName());
      Files.copy(in, file);
      return file;
    }
  }
}

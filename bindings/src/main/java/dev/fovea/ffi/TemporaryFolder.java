package dev.fovea.ffi;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A fresh folder that only this user can enter, for files that others load in a moment. */
public final class TemporaryFolder implements AutoCloseable {
  private final Path path;

  private TemporaryFolder(Path path) {
    this.path = path;
  }

  /**
   * Makes one.
   *
   * @param prefix how its name begins
   * @throws IOException if it cannot be made
   */
  public static TemporaryFolder make(String prefix) throws IOException {
    try {
      return new TemporaryFolder(Files.createTempDirectory(prefix));
    } catch (IOException e) {
      throw new IOException(
          "no folder can be made in the temporary directory %s; -Djava.io.tmpdir names another"
              .formatted(System.getProperty("java.io.tmpdir")),
          e);
    }
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  /**
   * Deletes it with all that is in it.
   *
   * @throws IOException if that cannot be
   */
  @Override
  public void close() throws IOException {
    List<Path> all;
    try (Stream<Path> found = Files.walk(path)) {
      all = found.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path one : all) {
      Files.delete(one);
    }
  }
}

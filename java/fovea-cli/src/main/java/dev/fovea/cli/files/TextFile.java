package dev.fovea.cli.files;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Files of text that a command reads. */
public final class TextFile {
  private TextFile() {}

  /**
   * All lines of a file.
   *
   * @param option that names it
   * @throws IllegalArgumentException if it is a folder, or no such text
   * @throws IOException if it cannot be read
   */
  public static List<String> lines(String option, Path file, Charset charset) throws IOException {
    try {
      return read(option, file, it -> Files.readAllLines(it, charset));
    } catch (MalformedInputException e) {
      throw new IllegalArgumentException(
          "%s %s is not %s text".formatted(option, file, charset), e);
    }
  }

  /** All bytes of a file; throws as {@link #lines}. */
  public static byte[] bytes(String option, Path file) throws IOException {
    return read(option, file, Files::readAllBytes);
  }

  private interface Reader<T> {
    T read(Path file) throws IOException;
  }

  private static <T> T read(String option, Path file, Reader<T> reader) throws IOException {
    try {
      if (Files.isDirectory(file)) {
        throw new IllegalArgumentException(option + " " + file + " is a folder, expected a file");
      }
      return reader.read(file);
    } catch (MalformedInputException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException("%s %s cannot be read: %s".formatted(option, file, Reason.of(e)), e);
    }
  }
}

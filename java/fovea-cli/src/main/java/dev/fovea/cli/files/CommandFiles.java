package dev.fovea.cli.files;

import dev.fovea.testkit.CleanExit;
import dev.fovea.testkit.WholeFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The files of a command: what it reads, and what it writes, which appears whole, at the end, or
 * not at all.
 *
 * <p>First all files are named, before any work: what cannot be written, what would replace an
 * input, and what would be written twice is refused then. Results are written beside their places;
 * {@link #commit} moves them there. Closed without that, or when the process ends, they are
 * deleted.
 */
public final class CommandFiles implements AutoCloseable {

  /** What a file gets. */
  @FunctionalInterface
  public interface Content {
    /** Writes all of it. */
    void writeTo(FileChannel channel) throws IOException;
  }

  /**
   * A file of the command line.
   *
   * @param option that names it
   * @param file as it is named
   * @param place where it is, without symbolic links
   */
  private record Named(String option, Path file, Path place) {

    boolean sameAs(Path other) throws IOException {
      // By identity where both are there: hard links, and names that a file system does not tell
      // apart.
      return place.equals(other)
          || Files.exists(place) && Files.exists(other) && Files.isSameFile(place, other);
    }

    @Override
    public String toString() {
      return option + " " + file;
    }
  }

  private static final List<Path> STREAMS =
      List.of(Path.of("/proc/self/fd/1"), Path.of("/proc/self/fd/2"));

  private final List<Named> inputs = new ArrayList<>();
  private final List<Named> outputs = new ArrayList<>();
  private final Map<Named, WholeFile> written = new LinkedHashMap<>();

  /** Names an input, before the outputs; null: the option is not given. */
  public void reads(String option, Path file) throws IOException {
    if (file != null && Files.exists(file)) { // who reads it says what is wrong with it
      inputs.add(new Named(option, file, WholeFile.place(file)));
    }
  }

  /**
   * Names an output; null: the option is not given.
   *
   * @throws IllegalArgumentException if it is an input, another output, a folder, or where this
   *     process prints to
   * @throws IOException if it could not be written
   */
  public void writes(String option, Path file) throws IOException {
    if (file == null) {
      return;
    }
    try {
      Named output = new Named(option, file, WholeFile.place(file));
      checkName(output.place);
      if (Files.isDirectory(output.place)) {
        throw new IllegalArgumentException(output + " is a folder, expected the name of a file");
      }
      if (!Files.exists(output.place) || Files.isRegularFile(output.place)) {
        checkPlace(output);
      } else if (!Files.isWritable(output.place)) {
        throw new IllegalArgumentException(output + " cannot be written: permission is denied");
      }
      outputs.add(output);
    } catch (IOException e) {
      throw failure(option, file, e);
    }
  }

  /** A file may be begun under a name that is too long to be its own. */
  private static void checkName(Path place) throws IOException {
    try {
      Files.readAttributes(place, BasicFileAttributes.class);
    } catch (NoSuchFileException e) {
      // which is how most results begin
    }
  }

  private void checkPlace(Named output) throws IOException {
    for (Named input : inputs) {
      if (input.sameAs(output.place)) {
        throw new IllegalArgumentException(
            "%s is the file that %s reads, expected another".formatted(output, input.option));
      }
    }
    for (Named other : outputs) {
      if (other.sameAs(output.place)) {
        throw new IllegalArgumentException(
            "%s is the file that %s writes, expected another".formatted(output, other.option));
      }
    }
    for (Path stream : STREAMS) {
      if (Files.exists(output.place)
          && Files.exists(stream)
          && Files.isSameFile(stream, output.place)) {
        throw new IllegalArgumentException(
            output + " is where this command prints to, expected another file");
      }
    }
    if (Files.exists(output.place) && !Files.isWritable(output.place)) {
      throw new IllegalArgumentException(output + " cannot be written: permission is denied");
    }
    WholeFile.begin(output.place).close(); // only a try tells whether the folder takes a file
  }

  /**
   * Writes an output that was named, beside its place.
   *
   * @throws IOException if it cannot be written
   */
  public void write(Path file, Content content) throws IOException {
    Named output =
        outputs.stream().filter(named -> named.file.equals(file)).findFirst().orElseThrow();
    try {
      WholeFile whole = WholeFile.begin(output.place);
      written.put(output, whole);
      content.writeTo(whole.channel());
      whole.complete();
    } catch (IOException e) {
      throw failure(output.option, file, e);
    }
  }

  /** As {@link #write(Path, Content)}, with all the bytes. */
  public void write(Path file, byte[] bytes) throws IOException {
    write(
        file,
        channel -> {
          ByteBuffer rest = ByteBuffer.wrap(bytes);
          while (rest.hasRemaining()) {
            channel.write(rest);
          }
        });
  }

  /**
   * Moves all that was written to its place. A signal finds all of it moved, or nothing.
   *
   * @throws IOException if a file cannot be moved, which only a change since it was named can cause
   */
  public void commit() throws IOException {
    CleanExit.finish(
        () -> {
          for (Map.Entry<Named, WholeFile> entry : written.entrySet()) {
            try {
              entry.getValue().move();
            } catch (IOException e) {
              throw failure(entry.getKey().option, entry.getKey().file, e);
            }
          }
          return null;
        });
  }

  private static IOException failure(String option, Path file, IOException e) {
    return new IOException("%s %s cannot be written: %s".formatted(option, file, Reason.of(e)), e);
  }

  /** Deletes what was written and has not been moved. */
  @Override
  public void close() throws IOException {
    for (WholeFile file : written.values()) {
      file.close();
    }
  }
}

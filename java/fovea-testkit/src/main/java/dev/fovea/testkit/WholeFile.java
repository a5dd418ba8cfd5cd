package dev.fovea.testkit;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that appears whole or not at all: it is written beside its place, under another name, and
 * takes its place, and that of a file which may be there, in one step. Behind a symbolic link, what
 * the link points to is replaced. What is no regular file, such as a pipe or {@code /dev/null}, is
 * written in place.
 *
 * <p>Closed without having been moved, or when the process ends, what was written is deleted. Not
 * thread-safe.
 */
public final class WholeFile implements AutoCloseable {

  private static final int MOST_LINKS = 40; // as many as Linux follows

  private final Path place;
  private final Path written; // the place itself if nothing is to be moved
  private final FileChannel channel;
  private boolean moved;

  private WholeFile(Path place, Path written, FileChannel channel) {
    this.place = place;
    this.written = written;
    this.channel = channel;
  }

  /**
   * Begins a file.
   *
   * @param file where it is to be
   * @throws IOException if nothing can be written there
   */
  public static WholeFile begin(Path file) throws IOException {
    Path place = place(file);
    if (Files.exists(place) && !Files.isRegularFile(place)) {
      return new WholeFile(place, place, FileChannel.open(place, StandardOpenOption.WRITE));
    }
    Path beside = place.resolveSibling(prefix(ProcessHandle.current().pid()) + random() + ".part");
    beside.toFile().deleteOnExit();
    FileChannel channel =
        FileChannel.open(beside, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
    WholeFile whole = new WholeFile(place, beside, channel);
    try {
      whole.takePermissions();
      return whole;
    } catch (IOException | RuntimeException e) {
      whole.close();
      throw e;
    }
  }

  /** How the names of unfinished files of a process begin. */
  static String prefix(long pid) {
    return ".fovea-" + pid + "-";
  }

  private static String random() {
    return Long.toHexString(ThreadLocalRandom.current().nextLong());
  }

  /**
   * The absolute path of {@code file} without symbolic links, whether it is there or not.
   *
   * @throws IOException if its folder is not there, or links lead in a circle
   */
  public static Path place(Path file) throws IOException {
    Path place = file.toAbsolutePath();
    for (int links = 0; Files.isSymbolicLink(place); links++) {
      if (links == MOST_LINKS) {
        throw new FileSystemLoopException(file.toString());
      }
      if (Files.exists(place) && !Files.isRegularFile(place)) {
        return place; // a pipe behind /dev/stdout has no path of its own
      }
      place = place.resolveSibling(Files.readSymbolicLink(place));
    }
    Path folder = place.getParent();
    Path name = place.getFileName();
    if (folder == null || name == null) {
      return place; // the root
    }
    if (!Files.exists(folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    return folder.toRealPath().resolve(name);
  }

  /** A file that is replaced keeps who may read it. */
  private void takePermissions() throws IOException {
    PosixFileAttributeView old =
        Files.getFileAttributeView(place, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    if (old != null && Files.exists(place)) {
      Files.setPosixFilePermissions(written, old.readAttributes().permissions());
    }
  }

  /** Where the bytes go. */
  public FileChannel channel() {
    return channel;
  }

  /**
   * Ends the writing; the file does not yet take its place.
   *
   * @throws IOException if the rest cannot be written
   */
  public void complete() throws IOException {
    channel.close();
  }

  /**
   * Takes its place.
   *
   * @throws IOException if it cannot; then the place is as it was
   */
  public void move() throws IOException {
    complete();
    if (!written.equals(place)) {
      Files.move(written, place, StandardCopyOption.ATOMIC_MOVE);
    }
    moved = true;
  }

  /** Deletes what was written, unless it has taken its place. */
  @Override
  public void close() throws IOException {
    channel.close();
    if (!moved && !written.equals(place)) {
      Files.deleteIfExists(written);
    }
  }
}

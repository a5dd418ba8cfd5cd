package dev.fovea.ffi;

import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder for one file, in the folder for temporary files, that nobody but this user can enter.
 *
 * <p>It goes when it is closed. A process that is killed leaves its own, so whoever makes one first
 * removes what others of the same user left. The lock on a file inside, which the system drops with
 * the process, tells these from those in use; a process id would not, as containers that share the
 * folder each have their own.
 */
final class PrivateFolder implements AutoCloseable {
  private static final String LOCK = "lock";
  private static final Pattern NAME = Pattern.compile("fovea-(\\d+-\\d+)-\\d+");

  /**
   * This JVM, in the names of its folders: it must not open the locks of these, since POSIX drops a
   * process's lock whenever the process closes a file of that name.
   */
  private static final String PROCESS = process(ProcessHandle.current());

  /** How old a folder without a lock must be: its process may be about to make one. */
  private static final Duration UNLOCKED = Duration.ofHours(1);

  private final Path path;
  private final FileChannel lock; // null where there is none

  private PrivateFolder(Path path, FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /** Makes one in {@code java.io.tmpdir} as that is now, and removes what was left there. */
  static PrivateFolder create() throws IOException {
    Path parent = Path.of(System.getProperty("java.io.tmpdir"));
    FileAttribute<?>[] attributes =
        FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
            }
            : new FileAttribute<?>[0];
    Path path = Files.createTempDirectory(parent, "fovea-" + PROCESS + "-", attributes);
    PrivateFolder folder = new PrivateFolder(path, lock(path));
    try {
      sweep(parent, Files.getOwner(path));
    } catch (IOException | DirectoryIteratorException | UnsupportedOperationException e) {
      // Then they stay. Nothing depends on it.
    }
    return folder;
  }

  Path path() {
    return path;
  }

  @Override
  public void close() {
    try {
      for (Path file : files(path)) {
        if (!file.endsWith(LOCK)) {
          Files.deleteIfExists(file);
        }
      }
      if (lock != null) {
        lock.close();
      }
      delete(path);
    } catch (IOException e) { // a file system that keeps open files: try again at the end
      path.toFile().deleteOnExit(); // these run in reverse order
      File[] files = path.toFile().listFiles();
      if (files != null) {
        Stream.of(files).forEach(File::deleteOnExit);
      }
    }
  }

  /** Removes the folders in {@code parent} that killed processes of {@code owner} left. */
  static void sweep(Path parent, UserPrincipal owner) throws IOException {
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent, "fovea-*")) {
      for (Path folder : folders) {
        Matcher name = NAME.matcher(folder.getFileName().toString());
        if (name.matches() && !name.group(1).equals(PROCESS)) {
          removeIfLeft(folder, owner);
        }
      }
    }
  }

  private static void removeIfLeft(Path folder, UserPrincipal owner) {
    try {
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
          || !Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS).equals(owner)) {
        return;
      }
      try (FileChannel file =
              FileChannel.open(
                  folder.resolve(LOCK), StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
          FileLock taken = file.tryLock()) {
        if (taken != null) {
          delete(folder);
        }
      } catch (NoSuchFileException e) {
        Instant changed = Files.getLastModifiedTime(folder, LinkOption.NOFOLLOW_LINKS).toInstant();
        if (changed.isBefore(Instant.now().minus(UNLOCKED))) {
          delete(folder);
        }
      }
    } catch (IOException | OverlappingFileLockException e) {
      // Somebody else removes it.
    }
  }

  /** The lock comes into the folder when it is taken, so that no sweep finds it free. */
  private static FileChannel lock(Path folder) {
    Path early = folder.resolve(LOCK + ".new");
    FileChannel file = null;
    try {
      file = FileChannel.open(early, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      if (file.tryLock() != null) {
        Files.move(early, folder.resolve(LOCK), StandardCopyOption.ATOMIC_MOVE);
      }
    } catch (IOException e) {
      // A file system without locks: an hour must do.
    }
    return file;
  }

  private static void delete(Path folder) throws IOException {
    for (Path file : files(folder)) {
      Files.deleteIfExists(file);
    }
    Files.deleteIfExists(folder);
  }

  private static List<Path> files(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.toList();
    }
  }

  private static String process(ProcessHandle process) {
    long start = process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    return process.pid() + "-" + start;
  }
}

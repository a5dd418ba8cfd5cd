package dev.fovea.ffi;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A library copied out of a jar, because only files can be opened.
 *
 * <p>Every process writes its own copy into a fresh folder that nobody else can enter: a fixed name
 * would load whatever an earlier version or another user left there. The copy goes when it has been
 * opened; the mapping lives on without it.
 */
final class ExtractedLibrary implements AutoCloseable {
  private final Path folder;
  private final Path file;

  private ExtractedLibrary(Path folder, Path file) {
    this.folder = folder;
    this.file = file;
  }

  /** Copies and checks; leaves nothing behind if it fails. */
  static ExtractedLibrary of(NativeLocator locator) throws IOException, LoadRefusal {
    Path folder =
        Files.createTempDirectory(
            "fovea-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path file = folder.resolve(System.mapLibraryName(locator.library()));
    ExtractedLibrary extracted = new ExtractedLibrary(folder, file);
    try {
      String found = copy(locator, file);
      if (!found.equals(locator.sha256())) {
        throw new LoadRefusal(
            "damaged: SHA-256 is %s, expected %s".formatted(found, locator.sha256()));
      }
      return extracted;
    } catch (IOException | LoadRefusal | RuntimeException | Error e) {
      extracted.close();
      throw e;
    }
  }

  Path file() {
    return file;
  }

  @Override
  public void close() {
    try {
      Files.deleteIfExists(file);
      Files.deleteIfExists(folder);
    } catch (IOException e) { // a file system that keeps open files: try again at the end
      folder.toFile().deleteOnExit();
      file.toFile().deleteOnExit(); // these run in reverse order
    }
  }

  private static String copy(NativeLocator locator, Path file) throws IOException {
    MessageDigest digest = sha256();
    try (InputStream in = locator.open();
        OutputStream out =
            new DigestOutputStream(
                Files.newOutputStream(
                    file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                digest)) {
      if (in == null) {
        throw new IOException("the artifact has no such resource");
      }
      in.transferTo(out);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}

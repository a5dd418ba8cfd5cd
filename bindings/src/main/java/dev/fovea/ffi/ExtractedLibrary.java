package dev.fovea.ffi;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
  private final PrivateFolder folder;
  private final Path file;

  private ExtractedLibrary(PrivateFolder folder, Path file) {
    this.folder = folder;
    this.file = file;
  }

  /** Copies and checks; leaves nothing behind if it fails. */
  static ExtractedLibrary of(NativeLocator locator) throws IOException, LoadRefusal {
    String expected = locator.sha256();
    PrivateFolder folder = PrivateFolder.create();
    try {
      Path file = folder.path().resolve(System.mapLibraryName(locator.library()));
      String found = copy(locator, file);
      if (!found.equals(expected)) {
        throw new LoadRefusal("damaged: SHA-256 is %s, expected %s".formatted(found, expected));
      }
      return new ExtractedLibrary(folder, file);
    } catch (IOException | LoadRefusal | RuntimeException | Error e) {
      folder.close();
      throw e;
    }
  }

  Path file() {
    return file;
  }

  @Override
  public void close() {
    folder.close();
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

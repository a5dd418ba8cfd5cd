package dev.fovea.ffi;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** An artifact of one file, both named by system properties, as services have no arguments. */
public final class FileLocator implements NativeLocator {
  static final String FILE = "fovea.test.locator.file";
  static final String HASH = "fovea.test.locator.sha256";

  @Override
  public String library() {
    return "fovea_cpu";
  }

  @Override
  public InputStream open() throws IOException {
    return Files.newInputStream(Path.of(System.getProperty(FILE)));
  }

  @Override
  public String sha256() {
    return System.getProperty(HASH);
  }

  @Override
  public String describe() {
    return "test artifact";
  }
}

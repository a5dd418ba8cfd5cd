package dev.fovea.ffi;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** An artifact of one file, both named by system properties, as services have no arguments. */
public final class FileLocator implements NativeLocator {
  static final String FILE = "fovea.test.locator.file";
  static final String HASH = "fovea.test.locator.sha256";

  /** The method that fails as a jar does that was closed meanwhile. */
  static final String BROKEN = "fovea.test.locator.broken";

  @Override
  public String library() {
    use("library");
    return "fovea_cpu";
  }

  @Override
  public InputStream open() throws IOException {
    use("open");
    return Files.newInputStream(Path.of(System.getProperty(FILE)));
  }

  @Override
  public String sha256() {
    use("sha256");
    return System.getProperty(HASH);
  }

  @Override
  public String describe() {
    use("describe");
    return "test artifact";
  }

  private static void use(String method) {
    if (method.equals(System.getProperty(BROKEN))) {
      throw new IllegalStateException("zip file closed");
    }
  }
}

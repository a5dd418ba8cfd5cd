package dev.fovea.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.driver.JCudaDriver;

/**
 * Loads JCuda's native library. JCuda itself takes it from a file of a fixed name in {@code
 * java.io.tmpdir}, whoever put it there, and does not find it in its jar when that is a module. So
 * it is shown a fresh folder that nobody else can enter, with the file in it. (The JDK read the
 * property when it started; few others read it in that moment.)
 */
final class JCudaLibrary {
  private static final String FOLDER = "java.io.tmpdir";

  private JCudaLibrary() {}

  /** Why JCuda cannot be used; empty if it can. {@code libcuda} must be there. */
  static Optional<String> load() {
    try {
      Path folder = Files.createTempDirectory("fovea-jcuda-");
      Path file =
          folder.resolve(
              LibUtils.createLibraryFileName(
                  LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get())));
      try {
        extract(file);
        initialize(folder);
        return Optional.empty();
      } finally {
        Files.deleteIfExists(file);
        Files.deleteIfExists(folder);
      }
    } catch (IOException | LinkageError | RuntimeException e) {
      return Optional.of(reason(e));
    }
  }

  /** Where the jar is missing, JCuda says so, unless it finds the library elsewhere. */
  private static void extract(Path file) throws IOException {
    ClassLoader loader = JCudaDriver.class.getClassLoader();
    try (InputStream in = loader.getResourceAsStream("lib/" + file.getFileName())) {
      if (in != null) {
        Files.copy(in, file);
      }
    }
  }

  private static void initialize(Path folder) {
    String before = System.setProperty(FOLDER, folder.toString());
    try {
      JCudaDriver.cuDriverGetVersion(new int[1]); // anything, so that the class is initialized
    } finally {
      System.setProperty(FOLDER, before);
    }
  }

  /** JCuda's text is two stack traces; what counts is the head of the last one. */
  private static String reason(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String[] heads =
        root.toString().lines().filter(line -> line.startsWith("java.")).toArray(String[]::new);
    return heads.length == 0 ? root.toString() : heads[heads.length - 1];
  }
}

package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.report.LoadReport;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * A loader that finds nothing but what a test puts there: properties, artifacts, temporary files.
 */
@Isolated("sets system properties")
abstract class LoaderTest {
  @TempDir Path folder;
  private Properties saved;
  private ClassLoader contextLoader;

  @BeforeEach
  void clearProperties() throws IOException {
    saved = (Properties) System.getProperties().clone();
    System.clearProperty("fovea.native.cpu.path");
    System.clearProperty("fovea.native.path");
    System.clearProperty("java.library.path");
    System.setProperty("java.io.tmpdir", folder.resolve("temporary").toString());
    Files.createDirectory(folder.resolve("temporary"));
    contextLoader = Thread.currentThread().getContextClassLoader();
    // The real artifact may be on this class path.
    Thread.currentThread().setContextClassLoader(ClassLoader.getPlatformClassLoader());
  }

  @AfterEach
  void restoreProperties() {
    System.setProperties(saved);
    Thread.currentThread().setContextClassLoader(contextLoader);
  }

  static NativeLibrary load() {
    NativeLoader.Result result = NativeLoader.load("fovea_cpu");
    return result.library().orElseThrow(() -> new AssertionError(result.report()));
  }

  static LoadReport assertRefused(String reason) {
    LoadReport report = NativeLoader.load("fovea_cpu").report();
    assertTrue(report.library().isEmpty(), report.toString());
    assertTrue(report.toString().contains(reason), report.toString());
    return report;
  }

  /** What is in the folder for temporary files. */
  List<Path> temporary() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("temporary"))) {
      return files.sorted().toList();
    }
  }

  static String sha256(Path file) throws Exception {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }

  /** Offers {@code file} through a {@link FileLocator}, as an artifact would. */
  void offer(Path file, String hash) throws IOException {
    System.setProperty(FileLocator.FILE, file.toString());
    System.setProperty(FileLocator.HASH, hash);
    offer(FileLocator.class);
  }

  /** Puts an artifact with this locator on the class path of this thread; its folder. */
  Path offer(Class<? extends NativeLocator> locator) throws IOException {
    Path artifact = Files.createTempDirectory(folder, "artifact");
    Path type = artifact.resolve(locator.getName().replace('.', '/') + ".class");
    Files.createDirectories(type.getParent());
    try (InputStream in = locator.getResourceAsStream(locator.getSimpleName() + ".class")) {
      Files.copy(in, type);
    }
    Path services = Files.createDirectories(artifact.resolve("META-INF/services"));
    Files.writeString(services.resolve(NativeLocator.class.getName()), locator.getName());
    Thread.currentThread().setContextClassLoader(new ArtifactLoader(artifact.toUri().toURL()));
    return type.getParent();
  }

  /**
   * Defines what an artifact holds anew, in its unnamed module: services on the class path are not
   * looked for in named modules, and these tests may run in one.
   */
  static class ArtifactLoader extends URLClassLoader {
    ArtifactLoader(URL artifact) {
      super(new URL[] {artifact}, LoaderTest.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(name)) {
        boolean own = findResource(name.replace('.', '/') + ".class") != null;
        Class<?> loaded = findLoadedClass(name);
        return loaded != null ? loaded : own ? findClass(name) : super.loadClass(name, resolve);
      }
    }

    @Override
    public Enumeration<URL> getResources(String name) throws IOException {
      return findResources(name);
    }
  }
}

package dev.fovea.ffi;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.CodeSource;
import java.util.Set;

/**
 * A library that lies beside a class, and with it its SHA-256 in a file of the same name and {@code
 * .sha256}. The class, a subclass of this one, is in a package that its module opens to {@code
 * dev.fovea.ffi}.
 */
public abstract class ResourceLocator implements NativeLocator {
  private final String library;
  private final Set<String> architectures;

  /**
   * For {@code library}, as {@link #library} answers.
   *
   * @param architectures what {@code os.arch} says of processors that it is for; none: of all
   */
  protected ResourceLocator(String library, String... architectures) {
    this.library = library;
    this.architectures = Set.of(architectures);
  }

  @Override
  public final String library() {
    return library;
  }

  @Override
  public final boolean fits() {
    return architectures.isEmpty() || architectures.contains(System.getProperty("os.arch", ""));
  }

  @Override
  public final InputStream open() throws IOException {
    return resource("");
  }

  @Override
  public final String sha256() {
    try (InputStream in = resource(".sha256")) {
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public final String describe() {
    // The jar's name says the artifact, its version and the platform.
    CodeSource source = getClass().getProtectionDomain().getCodeSource();
    return source == null || source.getLocation() == null
        ? getClass().getName()
        : source.getLocation().toString();
  }

  private InputStream resource(String suffix) throws IOException {
    String name = System.mapLibraryName(library) + suffix;
    InputStream in = getClass().getResourceAsStream(name);
    if (in == null) {
      throw new FileNotFoundException("no " + name + " beside " + getClass().getName());
    }
    return in;
  }
}

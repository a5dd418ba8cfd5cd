package dev.fovea.ffi;

import dev.fovea.ffi.report.LoadReport;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/**
 * Finds and loads a library. In this order:
 *
 * <ol>
 *   <li>{@code -Dfovea.native.<lib>.path}: a file; {@code <lib>} is {@code cpu} for {@code
 *       fovea_cpu}
 *   <li>{@code -Dfovea.native.path}: a folder that holds {@code libfovea_cpu.so}
 *   <li>every {@link NativeLocator} on the class path or module path
 *   <li>{@code java.library.path}
 * </ol>
 *
 * A property is an order: if the file it names, or the folder it names, is not there, or the file
 * in it does not load, the search ends. Only a folder without a file of this name is passed over,
 * as it may be meant for another library. Artifacts and system folders are tried one after the
 * other.
 */
public final class NativeLoader {
  /**
   * What came of it.
   *
   * @param report every place that was looked at
   * @param library if one place had it
   */
  public record Result(LoadReport report, Optional<NativeLibrary> library) {}

  /** What is tried at one place. */
  private interface Source {
    NativeLibrary open() throws LoadRefusal;
  }

  private final String name;
  private final List<LoadReport.Attempt> attempts = new ArrayList<>();
  private boolean offered; // by an artifact
  private boolean mayPass;

  private NativeLoader(String name) {
    this.name = name;
  }

  /**
   * Looks for {@code name}, for example {@code "fovea_cpu"}. Never throws for a library that cannot
   * be had: the report says why.
   */
  public static Result load(String name) {
    NativeLoader loader = new NativeLoader(name);
    Optional<NativeLibrary> library = Optional.ofNullable(loader.search());
    LoadReport report =
        new LoadReport(
            name,
            loader.attempts,
            library.map(NativeLibrary::description),
            library.isEmpty() && loader.mayPass);
    return new Result(report, library);
  }

  private NativeLibrary search() {
    if (!nativeAccess()) {
      return null;
    }
    String fileProperty = "fovea.native." + name.replaceFirst("^fovea_", "") + ".path";
    String file = System.getProperty(fileProperty);
    if (file != null) {
      return attempt("-D" + fileProperty + "=" + file, () -> open(GivenPath.file(file)));
    }
    refused("-D" + fileProperty, "not set");

    String folder = System.getProperty("fovea.native.path");
    if (folder == null) {
      refused("-Dfovea.native.path", "not set");
    } else {
      String place = "-Dfovea.native.path=" + folder;
      try {
        Path inside = GivenPath.folder(folder).resolve(System.mapLibraryName(name));
        if (GivenPath.exists(inside)) {
          return attempt(place, () -> open(GivenPath.file(inside)));
        }
        refused(place, "has no " + inside.getFileName());
      } catch (LoadRefusal e) {
        return refused(place, e.getMessage());
      }
    }
    NativeLibrary library = fromArtifacts();
    if (library == null) {
      library = fromLibraryPath();
    }
    return library != null ? library : missing();
  }

  /**
   * Asks for a restricted method once, so that a JVM which forbids them gives a reason, not an
   * Error.
   */
  @SuppressWarnings("restricted")
  private boolean nativeAccess() {
    try {
      Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid());
      return true;
    } catch (IllegalCallerException e) {
      refused(
          "native access",
          "%s; start java with --enable-native-access=%s"
              .formatted(
                  e.getMessage(),
                  Optional.ofNullable(NativeLoader.class.getModule().getName())
                      .orElse("ALL-UNNAMED")));
      return false;
    } catch (UnsupportedOperationException e) { // a JVM without java.lang.foreign's linker
      refused("native access", e.toString());
      return false;
    }
  }

  private NativeLibrary fromArtifacts() {
    List<NativeLocator> locators = locators();
    offered = !locators.isEmpty();
    for (NativeLocator locator : locators) {
      String place = describe(locator);
      NativeLibrary library = attempt(place, () -> fromArtifact(locator, place));
      if (library != null) {
        return library;
      }
    }
    return offered
        ? null
        : refused("artifacts", "none on the class path or module path has " + name);
  }

  private NativeLibrary fromArtifact(NativeLocator locator, String place) throws LoadRefusal {
    try (ExtractedLibrary extracted = ExtractedLibrary.of(locator)) {
      return open(extracted.file(), place);
    } catch (LoadRefusal e) {
      throw new LoadRefusal(e.getMessage() + hint(e.getMessage()));
    } catch (IOException e) {
      throw notCopied(e);
    } catch (UncheckedIOException e) {
      throw notCopied(e.getCause());
    }
  }

  private LoadRefusal notCopied(IOException e) {
    mayPass = true;
    return new LoadRefusal(
        "cannot be copied to %s: %s".formatted(System.getProperty("java.io.tmpdir"), e));
  }

  /**
   * What the linker says of a temporary folder on a file system mounted noexec is hard to guess.
   */
  private static String hint(String error) {
    return error.contains("failed to map segment")
        ? " (is %s mounted noexec? set -Djava.io.tmpdir or -Dfovea.native.path)"
            .formatted(System.getProperty("java.io.tmpdir"))
        : "";
  }

  private NativeLibrary fromLibraryPath() {
    String path = System.getProperty("java.library.path", "");
    boolean any = false;
    for (String folder : path.split(File.pathSeparator)) {
      try {
        Path file = Path.of(folder).resolve(System.mapLibraryName(name));
        if (folder.isEmpty() || !GivenPath.exists(file)) {
          continue;
        }
        any = true;
        NativeLibrary library =
            attempt("java.library.path, " + file, () -> open(GivenPath.file(file)));
        if (library != null) {
          return library;
        }
      } catch (InvalidPathException e) {
        continue; // then it holds nothing
      }
    }
    return any
        ? null
        : refused("java.library.path=" + path, "has no " + System.mapLibraryName(name));
  }

  /** Ends a search that found nothing with what to do about it. */
  private NativeLibrary missing() {
    Platform platform = Platform.current();
    if (platform.refusal().isPresent()) {
      return refused("platform", platform.refusal().get());
    }
    if (!offered) {
      platform.advice(name).ifPresent(advice -> refused("what is missing", advice));
    }
    return null;
  }

  private NativeLibrary open(Path file) throws LoadRefusal {
    Path absolute = file.toAbsolutePath(); // dlopen would search its own path for a bare name
    return open(absolute, absolute.toString());
  }

  private NativeLibrary open(Path file, String origin) throws LoadRefusal {
    return new NativeLibrary(name, origin, DynamicLinker.open(file));
  }

  /**
   * Locators of this library that are seen by the loader of these classes or by the caller's
   * context loader, which differ in application servers; each class once.
   */
  private List<NativeLocator> locators() {
    Map<Class<?>, NativeLocator> found = new LinkedHashMap<>();
    collect(ServiceLoader.load(NativeLocator.class, NativeLocator.class.getClassLoader()), found);
    collect(ServiceLoader.load(NativeLocator.class), found);
    return List.copyOf(found.values());
  }

  private void collect(ServiceLoader<NativeLocator> services, Map<Class<?>, NativeLocator> found) {
    var providers = services.stream().iterator();
    String broken = null;
    while (true) {
      try {
        if (!providers.hasNext()) {
          return;
        }
        var provider = providers.next();
        if (!found.containsKey(provider.type())) {
          NativeLocator locator = provider.get();
          if (locator.library().equals(name) && locator.fits()) {
            found.put(provider.type(), locator);
          }
        }
      } catch (ServiceConfigurationError | LinkageError | RuntimeException e) {
        if (e.toString().equals(broken)) {
          return; // a class loader that cannot be asked, rather than the next broken provider
        }
        broken = e.toString();
        refused("artifacts", broken);
      }
    }
  }

  private static String describe(NativeLocator locator) {
    try {
      return Objects.requireNonNull(locator.describe());
    } catch (RuntimeException | LinkageError e) {
      return locator.getClass().getName();
    }
  }

  /** Whatever a place throws ends as its line of the report. */
  private NativeLibrary attempt(String place, Source source) {
    try {
      NativeLibrary library = source.open();
      attempts.add(new LoadReport.Attempt(place, Optional.empty()));
      return library;
    } catch (LoadRefusal e) {
      return refused(place, e.getMessage());
    } catch (RuntimeException | LinkageError e) {
      return refused(place, e.toString());
    }
  }

  private NativeLibrary refused(String place, String reason) {
    attempts.add(new LoadReport.Attempt(place, Optional.of(reason)));
    return null;
  }
}

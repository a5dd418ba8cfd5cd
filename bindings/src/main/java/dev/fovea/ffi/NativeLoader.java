package dev.fovea.ffi;

import dev.fovea.ffi.report.LoadReport;
import java.io.File;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

  private final String name;
  private final List<LoadReport.Attempt> attempts = new ArrayList<>();

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
        new LoadReport(name, loader.attempts, library.map(NativeLibrary::description));
    return new Result(report, library);
  }

  private NativeLibrary search() {
    if (!nativeAccess()) {
      return null;
    }
    String fileProperty = "fovea.native." + name.replaceFirst("^fovea_", "") + ".path";
    String file = System.getProperty(fileProperty);
    if (file != null) {
      return fromFile("-D" + fileProperty + "=" + file, Path.of(file));
    }
    refused("-D" + fileProperty, "not set");

    String folder = System.getProperty("fovea.native.path");
    if (folder != null) {
      String place = "-Dfovea.native.path=" + folder;
      Path inside = Path.of(folder).resolve(System.mapLibraryName(name));
      if (!Files.isDirectory(Path.of(folder))) {
        return refused(place, "there is no such folder");
      }
      if (Files.exists(inside)) {
        return fromFile(place, inside);
      }
      refused(place, "has no " + inside.getFileName());
    } else {
      refused("-Dfovea.native.path", "not set");
    }

    NativeLibrary library = fromArtifacts();
    return library != null ? library : fromLibraryPath();
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
    }
  }

  private NativeLibrary fromFile(String place, Path file) {
    if (!Files.isRegularFile(file)) {
      return refused(place, "there is no such file");
    }
    Path absolute = file.toAbsolutePath(); // dlopen would search its own path for a bare name
    try {
      return loaded(place, open(absolute, absolute.toString()));
    } catch (LoadRefusal e) {
      return refused(place, e.getMessage());
    }
  }

  private NativeLibrary fromArtifacts() {
    boolean any = false;
    for (NativeLocator locator : locators()) {
      if (!locator.library().equals(name)) {
        continue;
      }
      any = true;
      NativeLibrary library = fromArtifact(locator);
      if (library != null) {
        return library;
      }
    }
    return any ? null : refused("artifacts", "none on the class path or module path has " + name);
  }

  private NativeLibrary fromArtifact(NativeLocator locator) {
    String place = locator.describe();
    try (ExtractedLibrary extracted = ExtractedLibrary.of(locator)) {
      return loaded(place, open(extracted.file(), place));
    } catch (LoadRefusal e) {
      return refused(place, e.getMessage() + hint(e.getMessage()));
    } catch (IOException e) {
      return refused(place, e.toString());
    }
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
      Path file = Path.of(folder).resolve(System.mapLibraryName(name));
      if (folder.isEmpty() || !Files.isRegularFile(file)) {
        continue;
      }
      any = true;
      NativeLibrary library = fromFile("java.library.path, " + file, file);
      if (library != null) {
        return library;
      }
    }
    return any
        ? null
        : refused("java.library.path=" + path, "has no " + System.mapLibraryName(name));
  }

  private NativeLibrary open(Path file, String origin) throws LoadRefusal {
    return new NativeLibrary(name, origin, DynamicLinker.open(file));
  }

  /**
   * Locators seen by the loader of these classes and by the caller's context loader, which differ
   * in application servers; each class once.
   */
  private List<NativeLocator> locators() {
    Map<Class<?>, NativeLocator> found = new LinkedHashMap<>();
    collect(ServiceLoader.load(NativeLocator.class, NativeLocator.class.getClassLoader()), found);
    collect(ServiceLoader.load(NativeLocator.class), found);
    return List.copyOf(found.values());
  }

  private void collect(ServiceLoader<NativeLocator> services, Map<Class<?>, NativeLocator> found) {
    var providers = services.stream().iterator();
    while (true) {
      try {
        if (!providers.hasNext()) {
          return;
        }
        var provider = providers.next();
        if (!found.containsKey(provider.type())) {
          found.put(provider.type(), provider.get());
        }
      } catch (ServiceConfigurationError e) { // the iterator goes on behind a broken provider
        refused("artifacts", e.getMessage());
      }
    }
  }

  private NativeLibrary loaded(String place, NativeLibrary library) {
    attempts.add(new LoadReport.Attempt(place, Optional.empty()));
    return library;
  }

  private NativeLibrary refused(String place, String reason) {
    attempts.add(new LoadReport.Attempt(place, Optional.of(reason)));
    return null;
  }
}

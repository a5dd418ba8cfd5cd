package dev.fovea.modulepath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.ffi.NativeLibrary;
import java.io.File;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The whole thing in a JVM of its own, from modules alone: that descriptors are complete, the jar
 * of natives is found as a service, and one module needs native access and no other.
 */
@Timeout(60)
class ModulePathTest {
  private static final String NATIVES = "dev.fovea.natives.linux_x86_64";

  @Test
  void everythingBootsFromTheModulePath() throws Exception {
    List<String> output = run("--enable-native-access=dev.fovea.ffi");
    String text = String.join("\n", output);
    assertTrue(output.contains("module dev.fovea"), text);
    assertTrue(output.contains("out 3.0"), text);
    assertTrue(text.contains("fovea_cpu is loaded:"), text);
    assertTrue(text.contains("natives") && text.endsWith(": loaded"), text);
  }

  @Test
  void withoutNativeAccessTheExceptionSaysWhatToDo() throws Exception {
    String text = String.join("\n", run("--enable-native-access=java.base"));
    assertTrue(text.contains("dev.fovea.FoveaException: fovea_cpu could not be loaded:"), text);
    assertTrue(text.contains("start java with --enable-native-access=dev.fovea.ffi"), text);
  }

  private static List<String> run(String nativeAccess) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--module-path",
                modulePath(),
                "--add-modules",
                "dev.fovea",
                nativeAccess,
                "--illegal-native-access=deny",
                "-cp",
                testClasses(),
                Probe.class.getName())
            .redirectErrorStream(true)
            .start();
    List<String> output = process.inputReader().readAllLines();
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    return output;
  }

  /** The two modules, wherever this JVM has them from, and that of the natives. */
  private static String modulePath() throws URISyntaxException {
    Set<Path> path = new LinkedHashSet<>();
    path.add(origin(Attention.class));
    path.add(origin(NativeLibrary.class));
    Set<Path> natives =
        ModuleFinder.of(entries("jdk.module.path", "java.class.path")).findAll().stream()
            .filter(module -> module.descriptor().name().equals(NATIVES))
            .map(ModulePathTest::location)
            .collect(Collectors.toSet());
    assertEquals(1, natives.size(), NATIVES + " must be on the class path or the module path once");
    path.addAll(natives);
    return path.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
  }

  private static Path[] entries(String... properties) {
    return List.of(properties).stream()
        .flatMap(
            property ->
                List.of(System.getProperty(property, "").split(File.pathSeparator)).stream())
        .filter(entry -> entry.contains("fovea"))
        .map(Path::of)
        .filter(Files::exists)
        .toArray(Path[]::new);
  }

  private static Path location(ModuleReference module) {
    return Path.of(module.location().orElseThrow());
  }

  private static Path origin(Class<?> type) throws URISyntaxException {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  /** Patched into the module here, a plain folder there: only this class's package is in both. */
  private static String testClasses() throws Exception {
    Path folder = Files.createTempDirectory("probe");
    Path file = folder.resolve("dev/fovea/modulepath/Probe.class");
    Files.createDirectories(file.getParent());
    try (var in = Probe.class.getResourceAsStream("Probe.class")) {
      Files.copy(in, file);
    }
    file.toFile().deleteOnExit();
    return folder.toString();
  }
}

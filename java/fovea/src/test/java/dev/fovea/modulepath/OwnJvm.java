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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Programs of this JDK in processes of their own, and what they find the library by. */
public final class OwnJvm {
  private static final String NATIVES = "dev.fovea.natives.linux_x86_64";

  private OwnJvm() {}

  /** What a program prints in a JVM that forbids native access to whom it is not granted. */
  public static List<String> run(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("java", "--illegal-native-access=deny"));
    command.addAll(Arrays.asList(arguments));
    return tool(command);
  }

  static void compile(Path to, List<String> options, Path... sources) throws Exception {
    List<String> command = new ArrayList<>(List.of("javac", "-d", to.toString()));
    command.addAll(options);
    Arrays.stream(sources).map(Path::toString).forEach(command::add);
    assertEquals(List.of(), tool(command));
  }

  private static List<String> tool(List<String> command) throws Exception {
    List<String> whole = new ArrayList<>(command);
    whole.set(0, Path.of(System.getProperty("java.home"), "bin", command.getFirst()).toString());
    Process process = new ProcessBuilder(whole).redirectErrorStream(true).start();
    List<String> output = process.inputReader().readAllLines();
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    return output;
  }

  /** The two modules, wherever this JVM has them from, and that of the natives. */
  public static String modulePath() throws URISyntaxException {
    Set<Path> path = new LinkedHashSet<>();
    path.add(origin(Attention.class));
    path.add(origin(NativeLibrary.class));
    Set<Path> natives =
        ModuleFinder.of(entries("jdk.module.path", "java.class.path")).findAll().stream()
            .filter(module -> module.descriptor().name().equals(NATIVES))
            .map(OwnJvm::location)
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
  public static Path folderOf(Class<?> program) throws Exception {
    Path folder = Files.createTempDirectory("probe");
    Path file = folder.resolve(program.getName().replace('.', '/') + ".class");
    Files.createDirectories(file.getParent());
    try (var in = program.getResourceAsStream(program.getSimpleName() + ".class")) {
      Files.copy(in, file);
    }
    file.toFile().deleteOnExit();
    return folder;
  }
}

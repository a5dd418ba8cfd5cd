package dev.fovea.nn.train;

import dev.fovea.Tensor;
import dev.fovea.ffi.NativeOperation;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Processes that a test may kill. */
final class ChildJvm {
  private ChildJvm() {}

  /** What runs {@code main} with all that this process has, on the class path. */
  static List<String> command(Class<?> main, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx256m"));
    System.getProperties().stringPropertyNames().stream()
        .filter(name -> name.startsWith("fovea."))
        .forEach(name -> command.add("-D" + name + "=" + System.getProperty(name)));
    command.add("--enable-native-access=ALL-UNNAMED");
    Set<String> places = new LinkedHashSet<>();
    for (Class<?> each : List.of(main, Safetensors.class, Tensor.class, NativeOperation.class)) {
      places.add(
          Path.of(each.getProtectionDomain().getCodeSource().getLocation().toURI()).toString());
    }
    for (String path : List.of("jdk.module.path", "java.class.path")) {
      places.addAll(Arrays.asList(System.getProperty(path, "").split(File.pathSeparator)));
    }
    places.remove("");
    command.addAll(List.of("-cp", String.join(File.pathSeparator, places), main.getName()));
    command.addAll(Arrays.asList(arguments));
    return command;
  }

  /** Its errors are with what it prints. */
  static Process start(List<String> command) throws IOException {
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }
}

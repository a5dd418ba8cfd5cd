package dev.fovea.cuda.absent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is missing, the CPU works and a sentence says why there are no GPUs. */
@Timeout(120)
class AbsentTest {
  private static final String STUB = System.getenv("LD_LIBRARY_PATH");
  private static final String LIBRARY = System.getProperty("fovea.native.cuda.path");
  private static final String ACCESS = "--enable-native-access=ALL-UNNAMED";

  @TempDir private Path classes;

  @Test
  void withoutADriver(@TempDir Path folder) throws Exception {
    // Hides the one that this machine may have.
    Files.createFile(folder.resolve("libcuda.so.1"));
    List<String> output = run(Map.of("LD_LIBRARY_PATH", folder.toString()), ACCESS);
    String text = String.join("\n", output);
    assertTrue(text.contains("cpu computes"), text);
    assertTrue(
        text.contains("fovea_cuda could not be loaded:\n  NVIDIA driver: ")
            && text.contains(", so no GPU can be used"),
        text);
    assertEquals("devices [cpu]", output.getFirst(), text);
  }

  @Test
  void withADriverThatHasNoDevices() throws Exception {
    String text =
        String.join("\n", run(Map.of("LD_LIBRARY_PATH", STUB, "FOVEA_STUB_DEVICES", "0"), ACCESS));
    assertTrue(text.startsWith("devices [cpu]"), text);
    assertTrue(
        text.contains(
            "cuda could not be loaded:\n  NVIDIA driver: cuInit: CUDA_ERROR_NO_DEVICE (no"
                + " CUDA-capable device is detected)"),
        text);
  }

  @Test
  void withMoreDevicesThanTheLibraryKnows() throws Exception {
    String text =
        String.join("\n", run(Map.of("LD_LIBRARY_PATH", STUB, "FOVEA_STUB_DEVICES", "5"), ACCESS));
    assertTrue(text.startsWith("devices [cpu, cuda:0, cuda:1, cuda:2, cuda:3]"), text);
    assertTrue(text.contains("cuda:4 could not be loaded:\n  fovea_cuda: device index is 4"), text);
  }

  @Test
  void withoutTheLibrary() throws Exception {
    String text =
        String.join(
            "\n",
            run(
                Map.of("LD_LIBRARY_PATH", STUB),
                ACCESS,
                "-Dfovea.native.cuda.path=/nowhere/libfovea_cuda.so"));
    assertTrue(text.startsWith("devices [cpu]"), text);
    assertTrue(
        text.contains("-Dfovea.native.cuda.path=/nowhere/libfovea_cuda.so: there is no such file"),
        text);
  }

  @Test
  void withoutNativeAccessForJCuda() throws Exception {
    List<String> output =
        run(
            Map.of("LD_LIBRARY_PATH", STUB),
            "-p",
            modulePath(),
            "--add-modules",
            "dev.fovea.cuda",
            "--enable-native-access=dev.fovea.ffi",
            "--illegal-native-access=deny");
    String text = String.join("\n", output);
    assertEquals("devices [cpu]", output.getFirst(), text);
    assertTrue(
        text.contains(
            "jcuda could not be loaded:\n  JCudaDriver: java.lang.IllegalCallerException"),
        text);
  }

  @Test
  void asModules() throws Exception {
    List<String> output =
        run(
            Map.of("LD_LIBRARY_PATH", STUB),
            "-p",
            modulePath(),
            "--add-modules",
            "dev.fovea.cuda",
            "--enable-native-access=dev.fovea.ffi,jcuda",
            "--illegal-native-access=deny");
    String text = String.join("\n", output);
    assertEquals("devices [cpu, cuda:0, cuda:1]", output.getFirst(), text);
    assertTrue(text.contains("cuda:0 computes"), text);
  }

  /** What surefire made modules of, and the natives, which no descriptor asks for. */
  private static String modulePath() {
    List<String> path = new ArrayList<>();
    path.add(System.getProperty("jdk.module.path"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      if (entry.contains("jcuda-natives")) {
        path.add(entry);
      }
    }
    return String.join(File.pathSeparator, path);
  }

  private List<String> run(Map<String, String> environment, String... options) throws Exception {
    boolean modules = List.of(options).contains("-p");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dfovea.native.cuda.path=" + LIBRARY);
    command.addAll(List.of(options));
    command.add("-cp");
    command.add(
        modules
            ? probe().toString()
            : String.join(
                File.pathSeparator,
                System.getProperty("jdk.module.path"),
                System.getProperty("java.class.path"),
                probe().toString()));
    command.add(AbsentProbe.class.getName());
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    Process process = builder.start();
    List<String> output = process.inputReader().readAllLines();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return output;
  }

  /** The probe alone: in the folder of all tests it would be a part of the module. */
  private Path probe() throws Exception {
    Path file = classes.resolve(AbsentProbe.class.getName().replace('.', '/') + ".class");
    Files.createDirectories(file.getParent());
    try (InputStream in = AbsentProbe.class.getResourceAsStream("AbsentProbe.class")) {
      Files.copy(in, file);
    }
    return classes;
  }
}

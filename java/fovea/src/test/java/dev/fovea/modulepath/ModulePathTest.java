package dev.fovea.modulepath;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The whole thing in a JVM of its own, from modules alone: that descriptors are complete, the jar
 * of natives is found as a service, and one module needs native access and no other.
 */
@Timeout(60)
class ModulePathTest {
  @Test
  void everythingBootsFromTheModulePath() throws Exception {
    List<String> output = probe("dev.fovea.ffi");
    String text = String.join("\n", output);
    assertTrue(output.contains("module dev.fovea"), text);
    assertTrue(output.contains("out 3.0"), text);
    assertTrue(text.contains("fovea_cpu is loaded:"), text);
    assertTrue(text.contains("natives") && text.endsWith(": loaded"), text);
  }

  @Test
  void withoutNativeAccessTheExceptionSaysWhatToDo() throws Exception {
    String text = String.join("\n", probe("java.base"));
    assertTrue(text.contains("dev.fovea.FoveaException: fovea_cpu could not be loaded:"), text);
    assertTrue(text.contains("start java with --enable-native-access=dev.fovea.ffi"), text);
  }

  private static List<String> probe(String nativeAccess) throws Exception {
    return OwnJvm.run(
        "--enable-native-access=" + nativeAccess,
        "--module-path",
        OwnJvm.modulePath(),
        "--add-modules",
        "dev.fovea",
        "-cp",
        OwnJvm.folderOf(Probe.class).toString(),
        Probe.class.getName());
  }
}

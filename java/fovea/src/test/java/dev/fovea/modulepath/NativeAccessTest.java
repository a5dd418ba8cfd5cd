package dev.fovea.modulepath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Native access that is granted to the bindings is theirs alone: nobody else reads an address
 * through them.
 */
@Timeout(120)
class NativeAccessTest {
  private static final String LIBRARY = "dev.fovea.ffi";
  private static final String NOT_EXPORTED = "does not export";
  private static final String NO_STREAMS =
      "Stream: java.lang.UnsupportedOperationException: cpu has no streams: its calls are done when"
          + " they return";

  @TempDir static Path folder;

  /** Compiled as if the packages were open to it. */
  @BeforeAll
  static void compile() throws Exception {
    Path source = copy("Stranger.java");
    OwnJvm.compile(
        folder.resolve("module"), exportsTo("stranger"), source, copy("module-info.java"));
    OwnJvm.compile(folder.resolve("classes"), exportsTo("ALL-UNNAMED"), source);
  }

  private static List<String> exportsTo(String module) throws Exception {
    return List.of(
        "--module-path",
        OwnJvm.modulePath(),
        "--add-modules",
        "dev.fovea",
        "--add-exports",
        "dev.fovea.ffi/dev.fovea.ffi=" + module,
        "--add-exports",
        "dev.fovea/dev.fovea.access=" + module,
        "--add-exports",
        "dev.fovea/dev.fovea.spi=" + module);
  }

  private static Path copy(String name) throws Exception {
    Path file = folder.resolve(name);
    try (var in = NativeAccessTest.class.getResourceAsStream("stranger/" + name)) {
      Files.copy(in, file);
    }
    return file;
  }

  @Test
  void aModuleWithoutItReadsNoAddress() throws Exception {
    List<String> output = module(LIBRARY);
    assertTrue(output.get(0).startsWith("Memory: java.lang.IllegalAccessError"), output.toString());
    assertTrue(output.get(0).contains(NOT_EXPORTED), output.toString());
    assertTrue(output.get(1).contains(NOT_EXPORTED), output.toString());
    assertEquals(
        "Tensor: java.lang.IllegalCallerException: module stranger calls Tensor.ofAddress, which"
            + " trusts a raw address, without native access: start java with"
            + " --enable-native-access=stranger",
        output.get(2));
    assertTrue(output.get(3).contains("stranger calls Stream.ofHandle"), output.toString());
    assertEquals(4, output.size(), output.toString());
  }

  @Test
  void aModuleWithItMayMakeTensorsOfAddressesAndNoMore() throws Exception {
    List<String> output = module(LIBRARY + ",stranger");
    assertTrue(output.get(0).contains(NOT_EXPORTED), output.toString());
    assertTrue(output.get(1).contains(NOT_EXPORTED), output.toString());
    assertEquals("Tensor: 1", output.get(2));
    assertEquals(NO_STREAMS, output.get(3));
  }

  @Test
  void theClassPathBesideModulesIsAModuleLikeAnyOther() throws Exception {
    List<String> output = classes(LIBRARY);
    assertTrue(output.get(0).contains(NOT_EXPORTED), output.toString());
    assertTrue(
        output.get(2).endsWith("start java with --enable-native-access=ALL-UNNAMED"),
        output.toString());
    assertEquals("Tensor: 1", classes(LIBRARY + ",ALL-UNNAMED").get(2));
  }

  /** One unnamed module: what is granted to the library is granted to all. */
  @Test
  void onTheClassPathEverythingStillWorks() throws Exception {
    assertEquals(
        List.of("Memory: secret", "backend: cpu", "Tensor: 1", NO_STREAMS),
        OwnJvm.run(
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            OwnJvm.modulePath() + File.pathSeparator + folder.resolve("classes"),
            "stranger.Stranger"));
  }

  private List<String> module(String nativeAccess) throws Exception {
    return OwnJvm.run(
        "--enable-native-access=" + nativeAccess,
        "--module-path",
        OwnJvm.modulePath() + File.pathSeparator + folder.resolve("module"),
        "-m",
        "stranger/stranger.Stranger");
  }

  private List<String> classes(String nativeAccess) throws Exception {
    return OwnJvm.run(
        "--enable-native-access=" + nativeAccess,
        "--module-path",
        OwnJvm.modulePath(),
        "--add-modules",
        "dev.fovea",
        "-cp",
        folder.resolve("classes").toString(),
        "stranger.Stranger");
  }
}

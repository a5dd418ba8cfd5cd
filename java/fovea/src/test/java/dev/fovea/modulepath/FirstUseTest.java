package dev.fovea.modulepath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.spi.DeviceProvider;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of the second use of a library that the first could not load. */
@Timeout(60)
class FirstUseTest {
  @TempDir Path folder;

  @Test
  void withoutNativesEveryUseNamesTheArtifact() throws Exception {
    assertRefused(
        run(false),
        "what is missing: the artifact dev.fovea:fovea-natives with the classifier linux-x86_64"
            + " (there are natives for Linux with glibc on x86-64, linux-x86_64, and on AArch64,"
            + " linux-aarch64, only)");
  }

  @Test
  void onAPlatformWithoutNativesEveryUseNamesIt() throws Exception {
    for (String platform : List.of("Windows 11/amd64", "Mac OS X/aarch64", "Linux/riscv64")) {
      String[] parts = platform.split("/");
      assertRefused(
          run(false, "os.name", parts[0], "os.arch", parts[1]),
          "platform: this is %s on %s, and there are natives for".formatted((Object[]) parts)
              + " Linux with glibc on x86-64, linux-x86_64, and on AArch64, linux-aarch64, only");
    }
  }

  private static void assertRefused(List<String> output, String last) {
    List<String> uses = uses(output);
    assertEquals(3, uses.size(), String.join("\n", output));
    for (String use : uses) {
      assertTrue(use.startsWith("LIBRARY_NOT_LOADED: fovea_cpu could not be loaded: | "), use);
      assertTrue(use.endsWith(" | " + last), use);
    }
  }

  @Test
  void whatFailedForAReasonThatPassesIsTriedAgain() throws Exception {
    Path absent = folder.resolve("temporary");
    List<String> output = run(true, "java.io.tmpdir", absent.toString());
    List<String> uses = uses(output);
    assertEquals(3, uses.size(), String.join("\n", output));
    assertTrue(uses.get(0).contains(": cannot be copied to " + absent), uses.get(0));
    assertTrue(uses.get(1).contains(": cannot be copied to " + absent), uses.get(1));
    assertEquals("out 1.0", uses.get(2));
  }

  @Test
  void aProviderWhoseFailureMayPassIsMadeAgainUntilItHas() throws Exception {
    List<String> output = run(true);
    assertEquals(
        List.of("provider 1", "provider 2", "provider 3"),
        output.stream()
            .filter(line -> line.startsWith("provider "))
            .map(line -> line.substring(0, 10))
            .toList(),
        String.join("\n", output));
  }

  private static List<String> uses(List<String> output) {
    return output.stream()
        .filter(line -> line.startsWith("out ") || line.startsWith("LIBRARY_NOT_LOADED"))
        .toList();
  }

  private List<String> run(boolean natives, String... properties) throws Exception {
    List<String> path = new ArrayList<>(List.of(OwnJvm.modulePath().split(File.pathSeparator)));
    if (!natives) {
      path.removeIf(entry -> Path.of(entry).getFileName().toString().contains("natives"));
    }
    path.add(OwnJvm.folderOf(FirstUseProbe.class).toString());
    path.add(OwnJvm.folderOf(PassingProvider.class).toString());
    Path services = Files.createDirectories(folder.resolve("META-INF/services"));
    Files.writeString(
        services.resolve(DeviceProvider.class.getName()), PassingProvider.class.getName());
    path.add(folder.toString());

    List<String> command = new ArrayList<>();
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Djava.library.path=");
    command.addAll(List.of("-cp", String.join(File.pathSeparator, path)));
    command.add(FirstUseProbe.class.getName());
    command.addAll(List.of(properties));
    return OwnJvm.run(command.toArray(String[]::new));
  }
}

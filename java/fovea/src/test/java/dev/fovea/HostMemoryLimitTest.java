package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.modulepath.OwnJvm;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How much scopes of host memory may hold, and who says so. */
class HostMemoryLimitTest {
  @Test
  void theDefaultIsThreeQuartersOfTheMemoryThatTheJvmSees() {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long memory = system.getTotalMemorySize();
    assertEquals(memory / 4 * 3, HostMemoryLimit.get().bytes());
    assertEquals(HostMemoryLimit.get().bytes(), Device.cpu().memoryLimit());
    assertEquals(750, HostMemoryLimit.ofMemory(1000).bytes());
  }

  @Test
  void sizesAreWrittenAsForTheHeap() {
    assertEquals(12345, HostMemoryLimit.parse("12345").bytes());
    assertEquals(3 << 10, HostMemoryLimit.parse("3k").bytes());
    assertEquals(512 << 20, HostMemoryLimit.parse("512M").bytes());
    assertEquals(8L << 30, HostMemoryLimit.parse("8g").bytes());
    assertEquals(2L << 40, HostMemoryLimit.parse("2T").bytes());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "8gb", "g", "1.5g", "9000000000g", "99999999999999999999"})
  void whatIsNoSizeIsRefused(String text) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> HostMemoryLimit.parse(text))
            .getMessage();
    assertEquals("-Dfovea.memory.limit=" + text + " is not a size such as 512m or 8g", message);
  }

  /** In a JVM of its own, whose first scope meets the limit. */
  @Test
  void thePropertyLimitsTheProcess() throws Exception {
    assertEquals(List.of("allocated", "OUT_OF_MEMORY", "524288 of 1048576 in 1"), allocate("1m"));
    assertEquals(List.of("allocated", "allocated", "1572864 of 8589934592 in 1"), allocate("8g"));
    String wrong = String.join("\n", allocate("much"));
    assertTrue(
        wrong.contains(
            "IllegalArgumentException: -Dfovea.memory.limit=much is not a size such as 512m"),
        wrong);
  }

  private static List<String> allocate(String limit) throws Exception {
    return OwnJvm.run(
        "-Dfovea.memory.limit=" + limit,
        "-cp",
        OwnJvm.modulePath() + File.pathSeparator + OwnJvm.folderOf(LimitProbe.class),
        LimitProbe.class.getName());
  }
}

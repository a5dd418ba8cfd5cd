package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The ABI against the one that is committed: native/include/fovea.abi holds every struct offset and
 * every prototype. Whoever changes the ABI changes that file too, and so has thought of {@code
 * FOVEA_ABI_VERSION}: appending a field keeps it, anything else raises it.
 */
class AbiBaselineTest {
  private static final Path NATIVE = Path.of("..", "native");
  private static final Pattern PROTOTYPE =
      Pattern.compile("^FOVEA_API ([^;]+);", Pattern.MULTILINE);
  private static final Pattern VERSION =
      Pattern.compile("^#define FOVEA_ABI_VERSION (\\d+)$", Pattern.MULTILINE);

  @Test
  void theAbiIsTheCommittedOne() throws IOException {
    Path baseline = NATIVE.resolve("include/fovea.abi");
    assertEquals(
        Files.readAllLines(baseline),
        abi(),
        "the ABI has changed: if fields were only appended, copy the new lines into "
            + "native/include/fovea.abi; otherwise raise FOVEA_ABI_VERSION as well");
  }

  private static List<String> abi() throws IOException {
    String header = Files.readString(NATIVE.resolve("include/fovea.h"));
    Stream<String> version =
        VERSION.matcher(header).results().map(found -> "version=" + found.group(1));
    Stream<String> layouts =
        Files.readAllLines(NATIVE.resolve("build/layout.properties")).stream()
            .filter(line -> !line.isBlank() && !line.startsWith("#"))
            .sorted();
    Stream<String> functions =
        PROTOTYPE.matcher(header).results().map(AbiBaselineTest::onOneLine).sorted();
    return Stream.of(version, layouts, functions).flatMap(lines -> lines).toList();
  }

  private static String onOneLine(MatchResult found) {
    return found.group(1).replaceAll("\\s+", " ");
  }
}

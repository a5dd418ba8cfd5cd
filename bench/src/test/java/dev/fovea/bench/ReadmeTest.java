package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the README says is what the product does. */
class ReadmeTest {
  private static final Path HOME = Path.of("..");
  private static final Path EXAMPLES =
      HOME.resolve(
          "java/fovea-testkit/src/test/java/dev/fovea/testkit/attention/ReadmeExampleTest.java");

  @Test
  void supportIsWhatThePlannerSays() throws IOException {
    String readme = Files.readString(HOME.resolve("README.md"));
    assertEquals(
        SupportTable.markdown(HOME.resolve("bench/results")),
        Readme.blockOf(readme, "support"),
        "run bench/run table");
  }

  @ParameterizedTest
  @ValueSource(strings = {"example", "training"})
  void examplesAreThoseThatAreTested(String name) throws IOException {
    String source = Files.readString(EXAMPLES);
    String mark = "// README: " + name + "\n";
    int begin = source.indexOf(mark) + mark.length();
    int end = source.indexOf("      // end of README", begin);
    String code = source.substring(begin, end).stripTrailing().stripIndent() + "\n}\n";
    String readme = Files.readString(HOME.resolve("README.md"));
    assertEquals("```java\n" + code + "```\n", Readme.blockOf(readme, name));
  }
}

package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What the README says is what the product does. */
class ReadmeTest {
  private static final Path HOME = Path.of("..");
  private static final Path EXAMPLE =
      HOME.resolve("java/fovea-testkit/src/test/java/dev/fovea/testkit/ReadmeExampleTest.java");

  @Test
  void supportIsWhatThePlannerSays() throws IOException {
    String readme = Files.readString(HOME.resolve("README.md"));
    assertEquals(
        SupportTable.markdown(HOME.resolve("bench/results")),
        Readme.blockOf(readme, "support"),
        "run bench/run table");
  }

  @Test
  void theExampleIsTheOneThatIsTested() throws IOException {
    String source = Files.readString(EXAMPLE);
    int begin = source.indexOf("// README\n") + "// README\n".length();
    int end = source.indexOf("      // end of README");
    String code = source.substring(begin, end).stripTrailing().stripIndent() + "\n}\n";
    String readme = Files.readString(HOME.resolve("README.md"));
    assertEquals("```java\n" + code + "```\n", Readme.blockOf(readme, "example"));
  }
}

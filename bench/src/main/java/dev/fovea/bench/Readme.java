package dev.fovea.bench;

import dev.fovea.bench.Targets.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The generated parts of the project's README, each between {@code <!-- name -->} and {@code <!--
 * /name -->}: what is supported, by asking the planner, and how fast it is, from the reports.
 */
public final class Readme {
  private Readme() {}

  /**
   * Started by bench/run table.
   *
   * @param args the README, and the folder with the reports
   */
  public static void main(String[] args) throws IOException {
    Path readme = Path.of(args[0]);
    Path results = Path.of(args[1]);
    String text = Files.readString(readme);
    text = withBlock(text, "support", SupportTable.markdown(results));
    text = withBlock(text, "speed", speed(results));
    Files.writeString(readme, text);
  }

  /** {@code text} with the contents of one block replaced. */
  static String withBlock(String text, String name, String content) {
    Matcher block = block(name).matcher(text);
    if (!block.find()) {
      throw new IllegalArgumentException("the README has no block " + name);
    }
    return text.substring(0, block.start(1)) + content + text.substring(block.end(1));
  }

  /** The contents of one block. */
  static String blockOf(String text, String name) {
    Matcher block = block(name).matcher(text);
    if (!block.find()) {
      throw new IllegalArgumentException("the README has no block " + name);
    }
    return block.group(1);
  }

  private static Pattern block(String name) {
    return Pattern.compile("<!-- " + name + " -->\n(.*?)<!-- /" + name + " -->", Pattern.DOTALL);
  }

  private static String speed(Path results) throws IOException {
    StringBuilder text = new StringBuilder();
    for (List<Report> reports : ResultsPage.read(results)) {
      List<Outcome> outcomes = Targets.evaluate(reports);
      if (outcomes.isEmpty()) {
        continue;
      }
      Report first = reports.getFirst();
      text.append(
          "| %s on %s | worst | median |%n| --- | --- | --- |%n"
              .formatted(first.isa(), first.machine().cpu()));
      for (Outcome outcome : outcomes) {
        text.append(
            String.format(
                Locale.ROOT,
                "| %s | %.2f | %.2f |%n",
                outcome.text(),
                outcome.worst(),
                outcome.median()));
      }
      text.append('\n');
    }
    return text.toString();
  }
}

package dev.fovea.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The questions and answers that the demo searches. */
final class Faq {

  /** A pair; the answer is one line. */
  record Entry(String question, String answer) {}

  private static final String RESOURCE = "faq.txt";

  private Faq() {}

  /** Reads the pairs. */
  static List<Entry> read() throws IOException {
    try (InputStream in = Faq.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IOException(RESOURCE + " is missing from this build");
      }
      return parse(new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)));
    }
  }

  /** Lines after "Q: " and "A: " continue them; empty lines and lines after "#" do not count. */
  static List<Entry> parse(BufferedReader lines) throws IOException {
    List<Entry> entries = new ArrayList<>();
    String question = null;
    StringBuilder answer = new StringBuilder();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("Q: ")) {
        add(entries, question, answer);
        question = line.substring(3).strip();
      } else if (line.startsWith("A: ")) {
        answer.append(line.substring(3).strip());
      } else if (!line.isBlank() && !line.startsWith("#")) {
        answer.append(' ').append(line.strip());
      }
    }
    add(entries, question, answer);
    return entries;
  }

  private static void add(List<Entry> entries, String question, StringBuilder answer)
      throws IOException {
    if (question == null) {
      return;
    }
    if (answer.isEmpty()) {
      throw new IOException("no answer to \"" + question + "\"");
    }
    entries.add(new Entry(question, answer.toString()));
    answer.setLength(0);
  }
}

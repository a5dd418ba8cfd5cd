package dev.fovea.cli.translate;

import dev.fovea.cli.files.TextFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Words and how they are pronounced: the CMU Pronouncing Dictionary, in any of the forms it is
 * given away in. A line is a word, a number in parentheses if it is not the first of it, and
 * phonemes. Stress is left out, as where others are measured; so are words of other characters than
 * letters and apostrophes.
 */
final class Dictionary {
  private static final Pattern LINE =
      Pattern.compile("([A-Z'a-z]+)(?:\\(\\d+\\))?((?:\\s+[A-Za-z]+[0-2]?)+)");
  private static final Pattern REMARK = Pattern.compile("^;;;.*|\\s#.*");

  /** The option that names it. */
  static final String OPTION = "--dictionary";

  private static final int LEAST = 2; // words: one to learn and one to be asked for

  /** Words in their order, each with its pronunciations: phonemes. */
  private final Map<String, List<List<String>>> words = new TreeMap<>();

  private Dictionary() {}

  /**
   * Reads one.
   *
   * @throws IOException if it cannot be read
   * @throws IllegalArgumentException if it is no such dictionary
   */
  static Dictionary read(Path file) throws IOException {
    Dictionary dictionary = new Dictionary();
    // The first of its forms is Latin-1; what is behind ASCII is in remarks and words left out.
    TextFile.lines(OPTION, file, StandardCharsets.ISO_8859_1).forEach(dictionary::add);
    if (dictionary.words.size() < LEAST) {
      throw new IllegalArgumentException(
          "%s %s has %d words such as \"ATTENTION  AH0 T EH1 N SH AH0 N\", expected at least %d"
              .formatted(OPTION, file, dictionary.words.size(), LEAST));
    }
    return dictionary;
  }

  private void add(String text) {
    Matcher line = LINE.matcher(REMARK.matcher(text).replaceAll("").strip());
    if (!line.matches() || line.group(1).replace("'", "").isEmpty()) {
      return;
    }
    List<String> phonemes =
        Arrays.stream(line.group(2).strip().split("\\s+"))
            .map(it -> it.replaceAll("\\d", "").toUpperCase(Locale.ROOT))
            .toList();
    List<List<String>> all =
        words.computeIfAbsent(spelling(line.group(1)), it -> new ArrayList<>());
    if (!all.contains(phonemes)) {
      all.add(phonemes);
    }
  }

  /** As words are spelt here. */
  static String spelling(String word) {
    return word.toUpperCase(Locale.ROOT);
  }

  /** The words, sorted. */
  List<String> words() {
    return List.copyOf(words.keySet());
  }

  /** How a word is pronounced; empty if it is none of these. */
  List<List<String>> of(String word) {
    return words.getOrDefault(word, List.of());
  }
}

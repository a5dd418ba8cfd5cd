package dev.fovea.cli.translate;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Symbols by their numbers, behind those of padding, of the beginning and of the end. */
final class Alphabet {
  static final int PADDING = 0;
  static final int BEGIN = 1;
  static final int END = 2;
  private static final int FIRST = 3;

  private final List<String> symbols;
  private final Map<String, Integer> ids = new HashMap<>();

  /** Of all these symbols. */
  Alphabet(Stream<String> all) {
    symbols = all.distinct().sorted().toList();
    symbols.forEach(it -> ids.put(it, FIRST + ids.size()));
  }

  /** How many numbers there are. */
  int size() {
    return FIRST + symbols.size();
  }

  /**
   * Numbers of symbols.
   *
   * @throws IllegalArgumentException if one is not of this alphabet
   */
  int[] ids(List<String> sequence) {
    return sequence.stream().mapToInt(this::id).toArray();
  }

  private int id(String symbol) {
    Integer id = ids.get(symbol);
    if (id == null) {
      throw new IllegalArgumentException(
          "'%s' is not in the dictionary, whose symbols are %s"
              .formatted(symbol, String.join(" ", symbols)));
    }
    return id;
  }

  /** Symbols of numbers, without a beginning and an end. */
  List<String> symbols(int[] sequence) {
    return Arrays.stream(sequence)
        .filter(it -> it >= FIRST)
        .mapToObj(it -> symbols.get(it - FIRST))
        .toList();
  }

  /** Letters of a word, one by one. */
  static List<String> letters(String word) {
    return word.chars().mapToObj(Character::toString).toList();
  }
}

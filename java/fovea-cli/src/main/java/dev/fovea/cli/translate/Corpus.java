package dev.fovea.cli.translate;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * A dictionary as a task: words to learn from, and others that are held out. The same seed holds
 * out the same words and gives the same batches.
 */
final class Corpus {
  /** A word and one of its pronunciations, in numbers. */
  record Example(int[] letters, int[] phonemes) {}

  private final Alphabet letters;
  private final Alphabet phonemes;
  private final List<String> heldOut;
  private final List<Example> examples;
  private final int longest;
  private final int batch;
  private final long seed;
  private List<List<Example>> epoch = List.of(); // batches of the one that was asked for last
  private int epochNumber = -1;

  /**
   * Of a dictionary.
   *
   * @param heldOut words that are not learnt from; of few words at most half
   * @param batch examples of a step at most
   */
  Corpus(Dictionary dictionary, int heldOut, int batch, long seed) {
    this.batch = batch;
    this.seed = seed;
    List<String> words = new ArrayList<>(dictionary.words());
    letters = new Alphabet(words.stream().flatMap(it -> Alphabet.letters(it).stream()));
    phonemes =
        new Alphabet(
            words.stream().flatMap(it -> dictionary.of(it).stream()).flatMap(List::stream));
    longest =
        words.stream()
            .flatMap(
                it -> Stream.concat(Stream.of(Alphabet.letters(it)), dictionary.of(it).stream()))
            .mapToInt(List::size)
            .max()
            .orElseThrow();
    Collections.shuffle(words, new SplittableRandom(seed));
    int count = Math.min(heldOut, words.size() / 2);
    this.heldOut = List.copyOf(words.subList(0, count));
    examples =
        words.subList(count, words.size()).stream()
            .flatMap(
                it ->
                    dictionary.of(it).stream()
                        .map(said -> new Example(lettersOf(it), phonemes.ids(said))))
            .toList();
  }

  /** How many numbers of letters there are. */
  int letterIds() {
    return letters.size();
  }

  /**
   * The letters of any word.
   *
   * @throws IllegalArgumentException if it has none, or too many, or some that no word here has
   */
  int[] lettersOf(String word) {
    if (word.isEmpty() || word.length() > longest) {
      throw new IllegalArgumentException(
          "\"%s\" has %d letters, expected 1 to %d, as words of the dictionary"
              .formatted(word, word.length(), longest));
    }
    return letters.ids(Alphabet.letters(word));
  }

  /** The phonemes of all words. */
  Alphabet phonemes() {
    return phonemes;
  }

  /** Words that are not learnt from. */
  List<String> heldOut() {
    return heldOut;
  }

  /** Letters or phonemes of a word at most. */
  int longest() {
    return longest;
  }

  /** Pronunciations to learn from. */
  int size() {
    return examples.size();
  }

  /**
   * The examples of a step: of about one length, so that little is filled up. Every example comes
   * once in an epoch, in an order of its own.
   *
   * @param number from 0 on
   */
  List<Example> batch(int number) {
    int perEpoch = Math.ceilDiv(examples.size(), batch);
    if (epochNumber != number / perEpoch) {
      epochNumber = number / perEpoch;
      epoch = shuffled(epochNumber);
    }
    return epoch.get(number % perEpoch);
  }

  private List<List<Example>> shuffled(int number) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + number);
    List<Example> all = new ArrayList<>(examples);
    Collections.shuffle(all, random);
    all.sort( // stable: chance decides within a length
        Comparator.<Example>comparingInt(it -> it.letters.length)
            .thenComparingInt(it -> it.phonemes.length));
    List<List<Example>> batches = new ArrayList<>();
    for (int from = 0; from < all.size(); from += batch) {
      batches.add(all.subList(from, Math.min(from + batch, all.size())));
    }
    Collections.shuffle(batches, random);
    return batches;
  }
}

package dev.fovea.cli.translate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusTest {
  @TempDir private Path folder;

  private Dictionary dictionary(String... lines) throws IOException {
    return Dictionary.read(Files.write(folder.resolve("dictionary"), List.of(lines)));
  }

  @Test
  void allFormsOfTheDictionaryAreRead() throws IOException {
    Dictionary dictionary =
        dictionary(
            ";;; # CMUdict  --  Major Version: 0.07",
            "!EXCLAMATION-POINT  EH2 K S K L AH0 M EY1 SH AH0 N P OY2 N T",
            "'  K W OW1 T",
            "A42128  EY1 F AO1 R T UW1",
            "READ  R EH1 D",
            "READ(1)  R IY1 D",
            "READ(2)  R IY0 D",
            "aalborg AO1 L B AO0 R G # place, danish",
            "aalborg(2) AA1 L B AO0 R G",
            "don't D OW1 N T",
            "",
            "EMPTY");
    assertEquals(List.of("AALBORG", "DON'T", "READ"), dictionary.words());
    assertEquals(List.of(List.of("R", "EH", "D"), List.of("R", "IY", "D")), dictionary.of("READ"));
    assertEquals(
        List.of(List.of("AO", "L", "B", "AO", "R", "G"), List.of("AA", "L", "B", "AO", "R", "G")),
        dictionary.of("AALBORG"));
    assertEquals(List.of(List.of("D", "OW", "N", "T")), dictionary.of("DON'T"));
    assertEquals(List.of(), dictionary.of("none"));
  }

  @Test
  void whatIsNoDictionaryIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> dictionary("12345", "a-b c"));
    assertThrows(IllegalArgumentException.class, this::dictionary);
    assertThrows(IOException.class, () -> Dictionary.read(folder.resolve("none")));
    assertThrows(IllegalArgumentException.class, () -> Dictionary.read(folder));
  }

  private Dictionary many(int count) throws IOException {
    return dictionary(
        IntStream.range(0, count)
            .mapToObj(
                i -> {
                  String word =
                      Integer.toString(i, 26)
                          .chars()
                          .mapToObj(c -> letter(c))
                          .collect(Collectors.joining());
                  return word + "  " + String.join(" ", word.split("")) + " T";
                })
            .toArray(String[]::new));
  }

  private static String letter(int c) {
    return Character.toString(c <= '9' ? 'Q' + c - '0' : 'A' + c - 'a');
  }

  @Test
  void anEpochHasEveryExampleOnceAndNoneThatIsHeldOut() throws IOException {
    Dictionary dictionary = many(1000);
    Corpus corpus = new Corpus(dictionary, 100, 64, 5);
    Set<String> heldOut = new HashSet<>(corpus.heldOut());
    assertEquals(100, heldOut.size());
    int batches = Math.ceilDiv(corpus.size(), 64);
    for (int epoch = 0; epoch < 3; epoch++) {
      Map<String, Long> seen =
          IntStream.range(epoch * batches, (epoch + 1) * batches)
              .mapToObj(corpus::batch)
              .flatMap(List::stream)
              .collect(
                  Collectors.groupingBy(
                      it -> Arrays.toString(it.letters()), Collectors.counting()));
      assertEquals(corpus.size(), seen.size());
      assertTrue(seen.values().stream().allMatch(it -> it == 1));
      for (String word : heldOut) {
        assertTrue(!seen.containsKey(Arrays.toString(corpus.lettersOf(word))), word);
      }
    }
  }

  @Test
  void aBatchFollowsFromItsNumberAndTheSeed() throws IOException {
    Dictionary dictionary = many(500);
    Corpus corpus = new Corpus(dictionary, 50, 32, 5);
    String late = text(corpus.batch(40));
    String early = text(corpus.batch(3));
    Corpus again = new Corpus(dictionary, 50, 32, 5);
    assertEquals(early, text(again.batch(3)));
    assertEquals(late, text(again.batch(40)));
    assertEquals(corpus.heldOut(), again.heldOut());
    assertNotEquals(corpus.heldOut(), new Corpus(dictionary, 50, 32, 6).heldOut());
    assertNotEquals(text(corpus.batch(0)), text(corpus.batch(Math.ceilDiv(corpus.size(), 32))));
  }

  private static String text(List<Corpus.Example> batch) {
    return batch.stream()
        .map(it -> Arrays.toString(it.letters()) + Arrays.toString(it.phonemes()))
        .collect(Collectors.joining());
  }

  @Test
  void wordsThatCannotBeReadAreRefused() throws IOException {
    Corpus corpus = new Corpus(dictionary("AB  B", "ABC  B T K S"), 1, 4, 0);
    assertEquals(4, corpus.longest());
    assertEquals(3, corpus.lettersOf("CAB").length);
    for (String word : List.of("", "ABABA", "AX", "É")) {
      assertThrows(IllegalArgumentException.class, () -> corpus.lettersOf(word), word);
    }
  }
}

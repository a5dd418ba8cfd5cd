package dev.fovea.cli.translate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ErrorRatesTest {
  private static List<String> phonemes(String text) {
    return text.isEmpty() ? List.of() : List.of(text.split(" "));
  }

  @Test
  void theNearestPronunciationCounts() {
    List<List<String>> said = List.of(phonemes("R EH D"), phonemes("K AE"), phonemes(""));
    List<List<List<String>>> right =
        List.of(
            List.of(phonemes("R IY D Z"), phonemes("R EH D")),
            List.of(phonemes("K AE T S"), phonemes("D AO G")),
            List.of(phonemes("AH")));
    ErrorRates rates = ErrorRates.of(said, right);
    assertEquals(100.0 * (0 + 2 + 1) / (3 + 4 + 1), rates.phonemes(), 1e-12);
    assertEquals(100.0 * 2 / 3, rates.words(), 1e-12);
  }

  /** Against the recursive definition. */
  @Test
  void distancesAreThoseOfTheDefinition() {
    Random random = new Random(1);
    for (int i = 0; i < 300; i++) {
      List<String> a = drawn(random);
      List<String> b = drawn(random);
      assertEquals(defined(a, b), ErrorRates.distance(a, b), a + " and " + b);
    }
  }

  private static List<String> drawn(Random random) {
    List<String> all = new ArrayList<>();
    for (int i = random.nextInt(6); i > 0; i--) {
      all.add(Integer.toString(random.nextInt(3)));
    }
    return all;
  }

  private static int defined(List<String> a, List<String> b) {
    if (a.isEmpty() || b.isEmpty()) {
      return a.size() + b.size();
    }
    List<String> restA = a.subList(1, a.size());
    List<String> restB = b.subList(1, b.size());
    int same = defined(restA, restB) + (a.getFirst().equals(b.getFirst()) ? 0 : 1);
    return Math.min(same, 1 + Math.min(defined(restA, b), defined(a, restB)));
  }
}

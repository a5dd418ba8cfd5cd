package dev.fovea.cli;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** What a misspelt name was meant to be. */
final class NearMiss {

  private static final int MOST_SLIPS = 2;

  private NearMiss() {}

  /**
   * The name that {@code text} is at most two slips away from, where a slip is a letter more, less
   * or other, or two in the wrong order; or that it is the beginning of.
   */
  static Optional<String> of(String text, Collection<String> names) {
    String typed = text.split("=", 2)[0].toLowerCase(Locale.ROOT);
    return names.stream()
        .filter(name -> slips(typed, name) <= Math.min(MOST_SLIPS, name.length() / 3))
        .min(
            Comparator.comparingInt((String name) -> slips(typed, name))
                .thenComparing(name -> name))
        .or(
            () ->
                names.stream()
                    .filter(name -> typed.length() > 2 && name.startsWith(typed))
                    .findFirst());
  }

  /** Their distance by optimal string alignment. */
  private static int slips(String a, String b) {
    int[][] d = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        if (i == 0 || j == 0) {
          d[i][j] = i + j;
          continue;
        }
        int other = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        d[i][j] = Math.min(d[i - 1][j - 1] + other, Math.min(d[i - 1][j], d[i][j - 1]) + 1);
        boolean swapped =
            i > 1
                && j > 1
                && a.charAt(i - 1) == b.charAt(j - 2)
                && a.charAt(i - 2) == b.charAt(j - 1);
        if (swapped) {
          d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
        }
      }
    }
    return d[a.length()][b.length()];
  }
}

package dev.fovea.cli.translate;

import java.util.List;

/**
 * How far what was said is from what is in the dictionary; of several pronunciations of a word the
 * nearest counts.
 *
 * @param phonemes insertions, deletions and substitutions in % of phonemes (PER)
 * @param words % of words that are not as in the dictionary (WER)
 */
record ErrorRates(double phonemes, double words) {

  /**
   * Of words.
   *
   * @param said of each word
   * @param right of each word, all pronunciations
   */
  static ErrorRates of(List<List<String>> said, List<List<List<String>>> right) {
    long errors = 0;
    long phonemes = 0;
    int wrong = 0;
    for (int i = 0; i < said.size(); i++) {
      int least = Integer.MAX_VALUE;
      int length = 0;
      for (List<String> each : right.get(i)) {
        int distance = distance(said.get(i), each);
        if (distance < least) {
          least = distance;
          length = each.size();
        }
      }
      errors += least;
      phonemes += length;
      wrong += least > 0 ? 1 : 0;
    }
    return new ErrorRates(100.0 * errors / phonemes, 100.0 * wrong / said.size());
  }

  /** The least number of insertions, deletions and substitutions (Levenshtein, 1966). */
  static int distance(List<String> a, List<String> b) {
    int[] row = new int[b.size() + 1];
    for (int j = 0; j <= b.size(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.size(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.size(); j++) {
        int substituted = diagonal + (a.get(i - 1).equals(b.get(j - 1)) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.size()];
  }
}

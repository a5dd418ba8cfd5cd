package dev.fovea.cli.demo;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Search by meaning: the cosine with every entry. An entry may have several embeddings, such as one
 * of a question and one of its answer; the best counts.
 */
final class TextIndex {

  /**
   * An entry that was found.
   *
   * @param entry its number
   * @param score cosine, at most 1
   */
  record Hit(int entry, double score) {}

  private final List<float[][]> entries = new ArrayList<>();

  /** Adds an entry with its embeddings, each of length 1. */
  void add(float[]... embeddings) {
    entries.add(embeddings);
  }

  /** The {@code count} best entries for {@code query}, best first. */
  List<Hit> search(float[] query, int count) {
    List<Hit> hits = new ArrayList<>();
    for (int i = 0; i < entries.size(); i++) {
      double best = -1;
      for (float[] embedding : entries.get(i)) {
        best = Math.max(best, dot(query, embedding));
      }
      hits.add(new Hit(i, best));
    }
    hits.sort(Comparator.comparingDouble(Hit::score).reversed());
    return hits.subList(0, Math.min(count, hits.size()));
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }
}

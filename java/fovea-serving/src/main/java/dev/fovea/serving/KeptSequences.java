package dev.fovea.serving;

import java.util.ArrayList;
import java.util.List;

/** Sequences that are done, the one that was of use least lately first: prompts may begin alike. */
final class KeptSequences {

  /**
   * What a prompt has in common with a sequence.
   *
   * @param sequence null for none
   * @param tokens how many
   */
  record Prefix(KvSequence sequence, int tokens) {
    Prefix orBetter(KvSequence other, int common) {
      return common > tokens ? new Prefix(other, common) : this;
    }
  }

  private record Kept(KvSequence sequence, int[] tokens) {}

  private final int most;
  private final List<Kept> all = new ArrayList<>();

  /** So many at most. */
  KeptSequences(int most) {
    this.most = most;
  }

  int count() {
    return all.size();
  }

  /** Keeps a sequence whose tokens are these. */
  void add(KvSequence sequence, int[] tokens) {
    all.add(new Kept(sequence, tokens));
    while (all.size() > most) {
      evict();
    }
  }

  /** Closes the one that was of use least lately. */
  void evict() {
    all.removeFirst().sequence.close();
  }

  /** The longest prefix of a prompt, if it is longer than {@code known}. */
  Prefix find(int[] prompt, Prefix known) {
    Prefix best = known;
    for (Kept it : all) {
      best = best.orBetter(it.sequence, RunningSequence.common(it.tokens, prompt));
    }
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i).sequence == best.sequence) {
        all.add(all.remove(i)); // of use now
        break;
      }
    }
    return best;
  }

  void close() {
    while (!all.isEmpty()) {
      evict();
    }
  }
}

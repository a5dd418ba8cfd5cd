package dev.fovea.serving;

import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Writes tokens where a batch has room for them, as numbers that all their elements are. */
final class Tokens {
  private Tokens() {}

  /** Adds a token of each id to the sequence in a slot, and nothing to the others. */
  static void add(KvBatch batch, int slot, float... ids) {
    int[] counts = new int[batch.size()];
    counts[slot] = ids.length;
    batch.extend(counts);
    int start = batch.starts().getInt(slot);
    for (int i = 0; i < ids.length; i++) {
      write(batch, slot, start + i, ids[i]);
    }
    batch.commit();
  }

  static void write(KvBatch batch, int slot, int position, float id) {
    KvCache cache = batch.get(slot).cache();
    int page = batch.table().getInt(slot, position / cache.pageSize());
    int row = position % cache.pageSize();
    for (int layer = 0; layer < cache.layers(); layer++) {
      row(cache.key(layer), page, row).fill(id + layer);
      row(cache.value(layer), page, row).fill(-id - layer);
    }
  }

  private static Tensor row(Tensor pages, int page, int row) {
    return pages.select(0, page).select(0, row);
  }

  /** The ids of a sequence's tokens, from the first that is not forgotten on. */
  static List<Float> of(KvSequence sequence) {
    KvCache cache = sequence.cache();
    List<Float> ids = new ArrayList<>();
    int first = sequence.begin() / cache.pageSize() * cache.pageSize();
    for (int position = first; position < sequence.length(); position++) {
      int page = sequence.page(position / cache.pageSize());
      float id = row(cache.key(0), page, position % cache.pageSize()).getFloat(0, 0);
      for (int layer = 0; layer < cache.layers(); layer++) {
        float key = row(cache.key(layer), page, position % cache.pageSize()).getFloat(0, 1);
        float value = row(cache.value(layer), page, position % cache.pageSize()).getFloat(0, 0);
        if (key != id + layer || value != -id - layer) {
          throw new AssertionError(sequence + " has " + key + " and " + value + " for " + id);
        }
      }
      ids.add(id);
    }
    return ids;
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import java.util.Arrays;

/**
 * A block mask.
 *
 * @param queries of a block
 * @param keys of a block
 * @param perBatch whether sequences have lists of their own
 * @param perHead whether query heads have
 * @param density the share of blocks that are listed
 */
public record Blocks(int queries, int keys, boolean perBatch, boolean perHead, double density) {

  /** Lists behind the last of which nothing may be read. */
  private static final int POISON = 0x7fe5a5c3;

  /**
   * What a case is given.
   *
   * @param offsets [B or 1, Hq or 1, 1, rows + 1]
   * @param indices [B or 1, Hq or 1, 1, room]
   */
  public record Lists(int[] offsets, Layout offsetLayout, int[] indices, Layout indexLayout) {}

  /** Blocks of few or many queries and keys. */
  static Blocks draw(Gaussian random) {
    int[] sizes = {1, 3, 16, 16, 32, 64, 64, 100, 128, 128, 1000};
    return new Blocks(
        random.among(sizes),
        random.among(sizes),
        random.chance(0.3),
        random.chance(0.5),
        random.pick(0.0, 0.05, 0.2, 0.5, 0.5, 0.9, 1.0));
  }

  /** The lists: a block that is not behind all keys is listed with the density. */
  Lists lists(Geometry g, Gaussian random) {
    int batches = perBatch ? g.batch() : 1;
    int heads = perHead ? g.queryHeads() : 1;
    int rows = (g.queryLength() + queries - 1) / queries;
    int columns = (g.keyLength() + keys - 1) / keys;
    int[] offsets = new int[batches * heads * (rows + 1)];
    int[][] all = new int[batches * heads][rows * columns];
    int room = 0;
    for (int list = 0; list < all.length; list++) {
      int count = 0;
      for (int m = 0; m < rows; m++) {
        offsets[list * (rows + 1) + m] = count;
        boolean none = random.chance(0.1);
        for (int n = 0; n < columns && !none; n++) {
          if (random.chance(density)) {
            all[list][count++] = n;
          }
        }
      }
      offsets[list * (rows + 1) + rows] = count;
      Arrays.fill(all[list], count, all[list].length, POISON);
      room = Math.max(room, count);
    }
    room += random.nextInt(3);
    int[] indices = new int[batches * heads * room];
    Arrays.fill(indices, POISON);
    for (int list = 0; list < all.length; list++) {
      int count = Math.min(room, all[list].length);
      System.arraycopy(all[list], 0, indices, list * room, count);
    }
    return new Lists(
        offsets,
        Layout.dense(batches, heads, 1, rows + 1),
        indices,
        Layout.dense(batches, heads, 1, room));
  }

  /** Whether query i of a head may see key j. */
  boolean lists(Lists all, int batch, int head, int i, int j) {
    int b = perBatch ? batch : 0;
    int h = perHead ? head : 0;
    int at = all.offsetLayout.at(b, h, 0) + i / queries;
    int list = all.indexLayout.at(b, h, 0);
    int begin = list + all.offsets[at];
    int end = list + all.offsets[at + 1];
    return Arrays.binarySearch(all.indices, begin, end, j / keys) >= 0;
  }
}

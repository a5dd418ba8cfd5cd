package dev.fovea.testkit.attention;

import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;

/**
 * What is added to scores by the distance of a key.
 *
 * @param columns of the table, one for each bucket
 * @param reach the largest distance with a bucket of its own
 */
public record Relative(int columns, int reach) {

  /** One of a few columns and more or less distances. */
  static Relative draw(Gaussian random) {
    return new Relative(random.among(1, 2, 32, 32, 64, 150), random.among(0, 1, 5, 30, 128, 500));
  }

  /** [1, Hq, columns, 1]. */
  Layout layout(Style style, Geometry g) {
    return style.layout(1, g.queryHeads(), columns, 1);
  }

  /** A bucket for each distance, neighbours mostly in one, and some outside of the table. */
  int[] buckets(Gaussian random) {
    int[] buckets = new int[2 * reach + 1];
    int bucket = 0;
    for (int i = 0; i < buckets.length; i++) {
      bucket = random.chance(0.4) ? random.between(-1, columns) : bucket;
      buckets[i] = bucket;
    }
    return buckets;
  }

  /** The column for the keys at a distance, their position minus the query's. */
  public int column(int[] buckets, long distance) {
    int bucket = buckets[Math.clamp(distance, -reach, reach) + reach];
    return Math.clamp(bucket, 0, columns - 1);
  }
}

package dev.fovea;

/** Buckets of distances between keys and queries, for {@link AttentionCall#relativeBias}. */
public final class RelativeBuckets {
  private RelativeBuckets() {}

  /**
   * Those of T5 (Raffel et al., 2019, arXiv 1910.10683): half of the buckets for one distance each,
   * from 0 on, half for ranges that grow with the logarithm up to {@code maxDistance}, and the last
   * for all beyond. Computed in float32, as the models were.
   *
   * @param bidirectional whether keys behind the query have half of the buckets for themselves, as
   *     in an encoder; else they share the bucket of distance 0
   * @param buckets how many there are
   * @param maxDistance from which on all distances share a bucket
   * @return [2 maxDistance + 1] {@link DType#INT32}
   * @throws IllegalArgumentException if there are fewer than 2 buckets in a direction, or {@code
   *     maxDistance} is no more than half of these
   */
  public static Tensor t5(Scope scope, boolean bidirectional, int buckets, int maxDistance) {
    int direction = bidirectional ? buckets / 2 : buckets;
    if (direction < 2) {
      throw new IllegalArgumentException(
          "buckets is %d, expected %d or more".formatted(buckets, bidirectional ? 4 : 2));
    }
    if (maxDistance <= direction / 2 || maxDistance > Integer.MAX_VALUE / 2 - 1) {
      throw new IllegalArgumentException(
          "maxDistance is %d, expected %d or more".formatted(maxDistance, direction / 2 + 1));
    }
    int[] all = new int[2 * maxDistance + 1];
    for (int i = 0; i < all.length; i++) {
      int distance = i - maxDistance;
      int size = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
      int first = bidirectional && distance > 0 ? direction : 0;
      all[i] = first + bucket(size, direction, maxDistance);
    }
    return scope.copyOf(all, all.length);
  }

  private static int bucket(int distance, int buckets, int maxDistance) {
    int exact = buckets / 2;
    if (distance < exact) {
      return distance;
    }
    float octaves = (float) Math.log((float) distance / exact);
    float share = octaves / (float) Math.log((double) maxDistance / exact);
    return Math.min(exact + (int) (share * (buckets - exact)), buckets - 1);
  }
}

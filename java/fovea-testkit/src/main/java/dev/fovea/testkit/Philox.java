package dev.fovea.testkit;

/**
 * Philox4x32-10, written from the paper alone: ten rounds of two 32 x 32 to 64 bit products, the
 * key raised by the Weyl constants between them.
 *
 * @see "Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011, sec. 4.2"
 */
public final class Philox {

  private static final long MULTIPLIER_0 = 0xD2511F53L;
  private static final long MULTIPLIER_1 = 0xCD9E8D57L;
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final int ROUNDS = 10;
  private static final long MASK = 0xffffffffL;

  private Philox() {}

  /** The four words for one counter and key. */
  public static int[] words(int c0, int c1, int c2, int c3, int k0, int k1) {
    for (int round = 0; round < ROUNDS; round++) {
      long p0 = MULTIPLIER_0 * (c0 & MASK);
      long p1 = MULTIPLIER_1 * (c2 & MASK);
      int n0 = (int) (p1 >>> 32) ^ c1 ^ k0;
      int n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
      c1 = (int) p1;
      c3 = (int) p0;
      c0 = n0;
      c2 = n2;
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    return new int[] {c0, c1, c2, c3};
  }

  /** Out of 65536, how many halves are dropped for the float32 probability of the call. */
  public static int threshold(float probability) {
    return (int) Math.round(65536.0 * probability);
  }

  /**
   * Fills {@code keep} for the keys {@code [begin, end)} of one row, by the bits that fovea.h
   * promises.
   *
   * @param row logical query position
   * @param head batch index times query heads plus head
   */
  public static void keep(
      boolean[] keep, int begin, int end, int row, int head, long seed, int offset, int threshold) {
    int cached = -1;
    int[] words = null;
    // Eight keys share a call: walk in an order that asks for each counter once.
    for (int block = begin >> 5; block <= (end - 1) >> 5; block++) {
      for (int quad = 0; quad < 4; quad++) {
        int counter = block * 4 + quad;
        for (int eighth = 0; eighth < 8; eighth++) {
          int word = eighth >> 1;
          int half = eighth & 1;
          int j = block * 32 + word * 8 + quad * 2 + half;
          if (j < begin || j >= end) {
            continue;
          }
          if (cached != counter) {
            words = words(counter, row, head, offset, (int) seed, (int) (seed >>> 32));
            cached = counter;
          }
          int drawn = words[word] >>> (16 * half) & 0xffff;
          keep[j - begin] = drawn >= threshold;
        }
      }
    }
  }
}

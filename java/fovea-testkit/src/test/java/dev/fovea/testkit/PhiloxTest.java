package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** Known answers of Random123 (kat_vectors, philox4x32 10), and the bits that fovea.h promises. */
class PhiloxTest {

  @Test
  void zeros() {
    assertArrayEquals(
        new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox.words(0, 0, 0, 0, 0, 0));
  }

  @Test
  void ones() {
    assertArrayEquals(
        new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        Philox.words(-1, -1, -1, -1, -1, -1));
  }

  @Test
  void digitsOfPi() {
    assertArrayEquals(
        new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
        Philox.words(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
  }

  /** The formula of fovea.h, key by key, against the loop that shares calls. */
  @Test
  void keepFollowsTheHeader() {
    long seed = 0x123456789abcdef0L;
    int threshold = Philox.threshold(0.3f);
    for (int begin : new int[] {0, 1, 5, 31, 32, 77}) {
      boolean[] keep = new boolean[200];
      Philox.keep(keep, begin, 200, 17, 5, seed, 99, threshold);
      for (int j = begin; j < 200; j++) {
        int counter = (j >> 5) * 4 + (j >> 1 & 3);
        int[] words = Philox.words(counter, 17, 5, 99, (int) seed, (int) (seed >>> 32));
        int word = words[j >> 3 & 3];
        int half = (j & 1) == 0 ? word & 0xffff : word >>> 16;
        assertEquals(half >= threshold, keep[j - begin], "key " + j);
      }
    }
  }

  @Test
  void keepsTheRightShare() {
    boolean[] keep = new boolean[4096];
    int kept = 0;
    for (int row = 0; row < 64; row++) {
      Philox.keep(keep, 0, 4096, row, 0, 7, 0, Philox.threshold(0.17f));
      for (boolean k : keep) {
        kept += k ? 1 : 0;
      }
    }
    // Standard deviation is 192 of 262,144.
    assertEquals(0.83 * 64 * 4096, kept, 1000);
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Buckets of T5, counted by hand. */
class RelativeBucketsTest {
  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private int[] t5(boolean bidirectional, int buckets, int maxDistance) {
    Tensor all = RelativeBuckets.t5(scope, bidirectional, buckets, maxDistance);
    assertEquals(2L * maxDistance + 1, all.elements());
    return all.toIntArray();
  }

  /** Two exact buckets, then [2, 4), and all from 4 on; half of eight for each side. */
  @Test
  void bothSides() {
    int[] expected = {3, 3, 3, 3, 3, 2, 2, 1, 0, 5, 6, 6, 7, 7, 7, 7, 7};
    assertArrayEquals(expected, t5(true, 8, 8));
  }

  /** Keys behind the query share bucket 0; distances from 2 on share a bucket twice as far. */
  @Test
  void oneSide() {
    int[] expected = {3, 3, 3, 3, 3, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    assertArrayEquals(expected, t5(false, 4, 8));
  }

  /** The sizes of T5: each of 8, 12, 16, 23, 32, 46, 64 and 91 is where a bucket begins. */
  @Test
  void thoseOfTheModel() {
    int[] all = t5(true, 32, 128);
    int[] begins = {8, 12, 16, 23, 32, 46, 64, 91};
    for (int i = 0; i < begins.length; i++) {
      assertEquals(8 + i, all[128 - begins[i]], "from " + begins[i]);
      assertEquals(7 + i, all[128 - begins[i] + 1], "before " + begins[i]);
      assertEquals(16 + 8 + i, all[128 + begins[i]], "from " + begins[i]);
    }
    assertEquals(15, all[0]);
    assertEquals(31, all[256]);
    assertEquals(0, all[128]);
    assertEquals(17, all[129]);
  }

  @Test
  void refusals() {
    assertRefused("buckets is 3, expected 4 or more", true, 3, 128);
    assertRefused("buckets is 1, expected 2 or more", false, 1, 128);
    assertRefused("maxDistance is 8, expected 9 or more", true, 32, 8);
  }

  private void assertRefused(String reason, boolean bidirectional, int buckets, int maxDistance) {
    IllegalArgumentException refusal =
        assertThrows(
            IllegalArgumentException.class,
            () -> RelativeBuckets.t5(scope, bidirectional, buckets, maxDistance));
    assertEquals(reason, refusal.getMessage());
  }
}

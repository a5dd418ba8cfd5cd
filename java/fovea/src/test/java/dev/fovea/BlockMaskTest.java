package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Lists counted by hand. */
class BlockMaskTest {
  private static final boolean T = true;
  private static final boolean F = false;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  @Test
  void oneForAllHeads() {
    BlockMask mask = BlockMask.of(scope, new boolean[][] {{T, F, T}, {F, F, F}, {F, T, F}});
    assertArrayEquals(new long[] {1, 1, 4}, mask.offsets().shape());
    assertArrayEquals(new int[] {0, 2, 2, 3}, mask.offsets().toIntArray());
    assertArrayEquals(new long[] {1, 1, 3}, mask.indices().shape());
    assertArrayEquals(new int[] {0, 2, 1}, mask.indices().toIntArray());
  }

  /** The room is that of the longest; what a head does not need of it is 0. */
  @Test
  void eachHeadItsOwn() {
    BlockMask mask = BlockMask.of(scope, new boolean[][][] {{{T, T}, {F, T}}, {{F, F}, {F, T}}});
    assertArrayEquals(new int[] {0, 2, 3, 0, 0, 1}, mask.offsets().toIntArray());
    assertArrayEquals(new int[] {0, 1, 1, 1, 0, 0}, mask.indices().toIntArray());
  }

  @Test
  void noBlocks() {
    BlockMask mask = BlockMask.of(scope, new boolean[0][0]);
    assertArrayEquals(new int[] {0}, mask.offsets().toIntArray());
    assertEquals(0, mask.indices().elements());
  }

  @Test
  void refusals() {
    assertRefused(
        "row 1 of blocks has 1 keys, expected 2", new boolean[][][] {{{T, T}, {T}}, {{T, T}, {T}}});
    assertRefused(
        "head 1 of blocks has 1 rows, expected the 2 of head 0",
        new boolean[][][] {{{T}, {T}}, {{T}}});
  }

  private void assertRefused(String reason, boolean[][][] blocks) {
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, () -> BlockMask.of(scope, blocks));
    assertEquals(reason, refusal.getMessage());
  }
}

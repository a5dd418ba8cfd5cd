package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.nn.train.TokenMasking.Masked;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenMaskingTest {
  private static final int VOCABULARY = 25;
  private static final int PADDING = 0;
  private static final int BEGIN = 3;
  private static final int MASK = 24;
  private static final int ORDINARY = VOCABULARY - 3;

  private static TokenMasking masking(long seed) {
    return new TokenMasking(VOCABULARY, MASK, seed, PADDING, BEGIN);
  }

  private static boolean isSpecial(int id) {
    return id == PADDING || id == BEGIN || id == MASK;
  }

  private static int[] tokens(int count) {
    return new SplittableRandom(1).ints(count, 0, VOCABULARY).toArray();
  }

  private static void assertShare(double p, int found, int all, String what) {
    assertEquals(p * all, found, 5 * Math.sqrt(all * p * (1 - p)), what); // standard deviations
  }

  @Test
  void sharesAreThoseOfThePaper() {
    int[] ids = tokens(5000);
    int[] before = ids.clone();
    TokenMasking masking = masking(7);
    int all = 0;
    int chosen = 0;
    int masked = 0;
    int replaced = 0;
    int[] replacements = new int[VOCABULARY];
    int[] chosenAt = new int[ids.length];
    for (int step = 0; step < 40; step++) {
      Masked it = masking.mask(ids, step);
      for (int i = 0; i < ids.length; i++) {
        boolean isChosen = it.targets()[i] >= 0;
        if (isSpecial(ids[i]) || !isChosen) {
          assertEquals(-1, it.targets()[i]);
          assertEquals(ids[i], it.inputs()[i]);
        } else {
          assertEquals(ids[i], it.targets()[i]);
          chosen++;
          chosenAt[i]++;
          if (it.inputs()[i] == MASK) {
            masked++;
          } else if (it.inputs()[i] != ids[i]) {
            assertFalse(isSpecial(it.inputs()[i]));
            replaced++;
            replacements[it.inputs()[i]]++;
          }
        }
        all += isSpecial(ids[i]) ? 0 : 1;
      }
    }
    assertArrayEquals(before, ids);
    assertShare(0.15, chosen, all, "chosen");
    assertShare(0.8, masked, chosen, "masked");
    assertShare(0.1 * (ORDINARY - 1) / ORDINARY, replaced, chosen, "replaced by others");
    for (int id = 0; id < VOCABULARY; id++) {
      if (!isSpecial(id)) {
        assertShare(1.0 / ORDINARY, replacements[id], replaced, "replaced by " + id);
      }
    }
    // Steps choose for themselves: no place is chosen in all of them, hardly any in none.
    int never = (int) Arrays.stream(chosenAt).filter(it -> it == 0).count();
    assertTrue(Arrays.stream(chosenAt).max().orElseThrow() < 25);
    int special = ids.length - all / 40;
    assertShare(Math.pow(0.85, 40), never - special, all / 40, "never chosen");
  }

  @Test
  void followsFromSeedAndStep() {
    int[] ids = tokens(400);
    Masked one = masking(7).mask(ids, 3);
    TokenMasking used = masking(7);
    used.mask(ids, 9);
    Masked same = used.mask(ids, 3);
    assertArrayEquals(one.inputs(), same.inputs());
    assertArrayEquals(one.targets(), same.targets());
    assertFalse(Arrays.equals(one.targets(), masking(7).mask(ids, 4).targets()));
    assertFalse(Arrays.equals(one.targets(), masking(8).mask(ids, 3).targets()));
  }

  /** Padding between sequences has no part in what is chosen of them. */
  @Test
  void paddingChangesNothing() {
    int[] ids = new SplittableRandom(2).ints(300, 4, MASK).toArray();
    int[] padded = new int[600]; // sequences of 10, behind each as much padding
    for (int i = 0; i < ids.length; i++) {
      padded[i / 10 * 20 + i % 10] = ids[i];
    }
    Masked plain = masking(7).mask(ids, 1);
    Masked wide = masking(7).mask(padded, 1);
    for (int i = 0; i < padded.length; i++) {
      boolean isPadding = i % 20 >= 10;
      int from = i / 20 * 10 + i % 10;
      assertEquals(isPadding ? PADDING : plain.inputs()[from], wide.inputs()[i]);
      assertEquals(isPadding ? -1 : plain.targets()[from], wide.targets()[i]);
    }
  }

  @Test
  void refusesIdsThatThereAreNot() {
    Class<IllegalArgumentException> type = IllegalArgumentException.class;
    assertThrows(type, () -> new TokenMasking(5, 5, 1));
    assertThrows(type, () -> new TokenMasking(5, -1, 1));
    assertThrows(type, () -> new TokenMasking(5, 1, 1, 2, 7));
    assertThrows(type, () -> new TokenMasking(0, 0, 1));
    assertThrows(type, () -> new TokenMasking(2, 0, 1, 1));
    assertThrows(type, () -> masking(1).mask(new int[] {1, VOCABULARY}, 1));
    assertThrows(type, () -> masking(1).mask(new int[] {-1}, 1));
    assertEquals(0, masking(1).mask(new int[0], 1).targets().length);
  }
}

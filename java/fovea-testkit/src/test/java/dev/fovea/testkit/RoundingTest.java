package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import org.junit.jupiter.api.Test;

/** Rounding against its definition: the nearest of all 65,536 numbers, the even one of two. */
class RoundingTest {

  @Test
  void roundsToTheNearest() {
    for (DType type : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
      Gaussian random = new Gaussian(5);
      for (int n = 0; n < 20_000; n++) {
        double value = random.nextNormal() * Math.pow(2, random.between(-30, 10));
        float got = Rounding.round(type, value);
        int bits = Rounding.bits(type, got);
        double below = Rounding.value(type, bits - 1);
        double above = Rounding.value(type, bits + 1);
        double error = Math.abs(got - value);
        if (bits != 0 && bits != 0x8000) {
          assertTrue(error <= Math.abs(below - value), type + " " + value);
          assertTrue(error <= Math.abs(above - value), type + " " + value);
        }
        assertTrue(
            error <= Math.max(Rounding.unit(type) * Math.abs(value), Rounding.subnormalHalf(type)));
      }
    }
  }

  @Test
  void tiesGoToEvenAndDoublesDoNotRoundTwice() {
    assertEquals(1f, Rounding.round(DType.BFLOAT16, 1 + 0x1p-8));
    assertEquals(1 + 0x1p-6f, Rounding.round(DType.BFLOAT16, 1 + 3 * 0x1p-8));
    assertEquals(1 + 0x1p-7f, Rounding.round(DType.BFLOAT16, 1 + 0x1p-8 + 0x1p-40));
    assertEquals(1f, Rounding.round(DType.BFLOAT16, 1 + 0x1p-8 - 0x1p-40));
    assertEquals(1 + 0x1p-10f, Rounding.round(DType.FLOAT16, 1 + 0x1p-11 + 0x1p-40));
    assertEquals(-1 - 0x1p-10f, Rounding.round(DType.FLOAT16, -1 - 0x1p-11 - 0x1p-40));
    assertEquals(-1f, Rounding.round(DType.FLOAT16, -1 - 0x1p-11));
    assertEquals(0x1p-24f, Rounding.round(DType.FLOAT16, 0x1p-25 + 0x1p-60));
    assertEquals(0f, Rounding.round(DType.FLOAT16, 0x1p-25));
  }

  @Test
  void patternsAreNaN() {
    for (DType type : new DType[] {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16}) {
      assertTrue(Float.isNaN(Rounding.value(type, Rounding.poison(type))));
      assertTrue(Float.isNaN(Rounding.value(type, Rounding.canary(type))));
    }
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tables have the cosines and sines of the angles of RoFormer, each rounded once. */
class RotaryTablesTest {

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  @Test
  void position0TurnsNothing() {
    RotaryTables tables = RotaryTables.of(scope, 1, 6, RotaryTables.BASE);
    assertArrayEquals(new long[] {1, 3}, tables.cosines().shape());
    assertArrayEquals(new float[] {1, 1, 1}, tables.cosines().toFloatArray());
    assertArrayEquals(new float[] {0, 0, 0}, tables.sines().toFloatArray());
  }

  /** Of four elements and base 100: angles t and t / 10. */
  @Test
  void anglesByHand() {
    RotaryTables tables = RotaryTables.of(scope, 3, 4, 100);
    float[] cosines = tables.cosines().toFloatArray();
    float[] sines = tables.sines().toFloatArray();
    double[] angles = {0, 0, 1, 0.1, 2, 0.2};
    for (int i = 0; i < angles.length; i++) {
      assertEquals((float) Math.cos(angles[i]), cosines[i], 0x1p-24f);
      assertEquals((float) Math.sin(angles[i]), sines[i], 0x1p-24f);
    }
    assertEquals(DType.FLOAT32, tables.cosines().dtype());
  }

  /** Far positions have angles of thousands of turns, which float32 would not hold. */
  @Test
  void farPositionsAreExact() {
    int far = 131_071;
    RotaryTables tables = RotaryTables.of(scope, far + 1, 4, RotaryTables.BASE);
    assertEquals((float) Math.cos(far), tables.cosines().slice(0, far, far + 1).toFloatArray()[0]);
    assertEquals((float) Math.sin(far), tables.sines().slice(0, far, far + 1).toFloatArray()[0]);
    assertEquals(
        Math.sin(far * 0.01), tables.sines().slice(0, far, far + 1).toFloatArray()[1], 1e-7);
  }

  @Test
  void noPositionsHaveNoRows() {
    assertArrayEquals(
        new long[] {0, 2}, RotaryTables.of(scope, 0, 4, RotaryTables.BASE).sines().shape());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    String sizes = ": expected 0 or more, and an even number from 2 on";
    assertEquals("positions -1, rotaryDim 4" + sizes, refusal(-1, 4, 10));
    assertEquals("positions 8, rotaryDim 5" + sizes, refusal(8, 5, 10));
    assertEquals("positions 8, rotaryDim 0" + sizes, refusal(8, 0, 10));
    assertEquals("base is 0.0, expected a number above 0", refusal(8, 4, 0));
    assertEquals("base is NaN, expected a number above 0", refusal(8, 4, Double.NaN));
    assertEquals(
        "base is Infinity, expected a number above 0", refusal(8, 4, Double.POSITIVE_INFINITY));
    Tensor sines = RotaryTables.of(scope, 1, 2, 10).sines();
    assertEquals(
        "cosines",
        assertThrows(NullPointerException.class, () -> new RotaryTables(null, sines)).getMessage());
    assertEquals(
        "sines",
        assertThrows(NullPointerException.class, () -> new RotaryTables(sines, null)).getMessage());
  }

  private String refusal(long positions, int rotaryDim, double base) {
    return assertThrows(
            IllegalArgumentException.class,
            () -> RotaryTables.of(scope, positions, rotaryDim, base))
        .getMessage();
  }
}

package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.Attention.Alignment;
import dev.fovea.AttentionShape;
import dev.fovea.DType;
import dev.fovea.Device;
import org.junit.jupiter.api.Test;

/** Which distances must have a row among position keys. */
class PositionRowsTest {

  private static void plan(Attention.Builder attention, long origin, long rows) {
    AttentionShape shape =
        AttentionShape.dense(DType.FLOAT32, 2, 10, 30, 4, 2, 8).positionKeys(rows, 32, 8).build();
    plan(attention, origin, shape);
  }

  private static void plan(Attention.Builder attention, long origin, AttentionShape shape) {
    assertNotNull(attention.positionOrigin(origin).build().plan(Device.cpu(), shape));
  }

  /** Neither a row less at either end, nor one more than needed. */
  private static void needs(Attention.Builder attention, long low, long high) {
    long rows = high - low + 1;
    plan(attention, -low, rows);
    plan(attention, 5 - low, rows + 9);
    refused(() -> plan(attention, -low, rows - 1), low, high);
    if (low < 0) {
      refused(() -> plan(attention, -low - 1, rows - 1), low, high);
    }
    refused(() -> plan(attention, 1 - low, rows), low, high);
  }

  private static void refused(Runnable plan, long low, long high) {
    String message =
        assertThrows(IllegalArgumentException.class, plan::run, "not refused").getMessage();
    String expected = "expected at least %d to %d".formatted(low, high);
    assertTrue(message.contains(expected), message + ": " + expected);
  }

  @Test
  void everyDistanceThatAPairMayHave() {
    needs(Attention.builder(), -9, 29);
    needs(Attention.builder().alignment(Alignment.TOP_LEFT), -29, 9);
    needs(Attention.builder().causal(), 0, 29);
    needs(Attention.builder().causal(Alignment.TOP_LEFT), 0, 9);
    needs(Attention.builder().window(4, 3), -3, 4);
    needs(Attention.builder().window(100, 0), 0, 29);
    needs(Attention.builder().window(Attention.UNBOUNDED, 2), -2, 29);
    needs(Attention.builder().causal().window(6, 100), 0, 6);
    needs(Attention.builder().imageWindow(5, 1, 2), -7, 7);
  }

  @Test
  void packedSequencesAsLongAsTheyMayBe() {
    AttentionShape.Builder shape =
        AttentionShape.packed(DType.FLOAT32, 3, 10, 30, 25, 20, 4, 2, 8).valueHeadDim(8);
    plan(Attention.builder(), 9, shape.positionKeys(9 + 20, 32, 8).build());
    AttentionShape less = shape.positionKeys(9 + 19, 32, 8).build();
    refused(() -> plan(Attention.builder(), 9, less), -9, 19);
  }

  @Test
  void noPairNeedsNoRow() {
    for (int[] lengths : new int[][] {{0, 7}, {7, 0}}) {
      AttentionShape shape =
          AttentionShape.dense(DType.FLOAT32, 1, lengths[0], lengths[1], 1, 1, 8)
              .positionKeys(0, 8, 8)
              .build();
      plan(Attention.builder(), 3, shape);
    }
  }

  @Test
  void whatIsGivenAlone() {
    AttentionShape.Builder shape = AttentionShape.dense(DType.FLOAT32, 1, 3, 3, 1, 1, 8);
    AttentionShape bias = shape.positionBias().build();
    assertEquals(
        "positionBias is given without positionKeys",
        assertThrows(IllegalArgumentException.class, () -> plan(Attention.builder(), 0, bias))
            .getMessage());
    AttentionShape plain = AttentionShape.dense(DType.FLOAT32, 1, 3, 3, 1, 1, 8).build();
    assertEquals(
        "positionOrigin is given without positionKeys",
        assertThrows(IllegalArgumentException.class, () -> plan(Attention.builder(), 2, plain))
            .getMessage());
    assertThrows(IllegalArgumentException.class, () -> Attention.builder().positionOrigin(-1));
  }
}

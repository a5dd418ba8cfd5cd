package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Boolean masks become key lengths where they can, and are taken as they are always. */
class MasksTest {
  private static final boolean T = true;
  private static final boolean F = false;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }

  @Test
  void paddingAtTheEndIsALength() {
    Tensor lengths =
        Masks.keyLengths(scope, new boolean[][] {{T, T, F, F}, {T, T, T, T}, {F, F, F, F}});
    assertEquals(DType.INT32, lengths.dtype());
    assertArrayEquals(new long[] {3}, lengths.shape());
    assertArrayEquals(new int[] {2, 4, 0}, lengths.toIntArray());
    assertEquals(0, Masks.keyLengths(scope, new boolean[0][]).elements());
    assertArrayEquals(new int[2], Masks.keyLengths(scope, new boolean[2][0]).toIntArray());
  }

  @Test
  void paddingElsewhereIsNone() {
    assertEquals(
        "row 1 of mask is false at key 0 and true at key 2: key lengths leave out keys at the end"
            + " alone; AttentionCall.mask takes any",
        refusal(() -> Masks.keyLengths(scope, new boolean[][] {{T, T, F}, {F, F, T}})));
    assertEquals(
        "row 0 of mask is false at key 1 and true at key 2: key lengths leave out keys at the end"
            + " alone; AttentionCall.mask takes any",
        refusal(() -> Masks.keyLengths(scope, new boolean[][] {{T, F, T}})));
    assertEquals(
        "row 1 of mask has 2 keys, expected the 3 of row 0",
        refusal(() -> Masks.keyLengths(scope, new boolean[][] {{T, T, F}, {T, F}})));
  }

  /** Padding on the right both ways, and a row that may attend to nothing. */
  @Test
  void bothWaysGiveTheSame() {
    NativeTest.requireLibrary();
    Tensor query = scope.allocate(DType.FLOAT32, 2, 1, 1, 4).fill(0.5f);
    Tensor key = scope.copyOf(numbers(24), 2, 3, 1, 4);
    AttentionCall call = Attention.create().call(query, key, key);
    boolean[][] mask = {{T, T, F}, {F, F, F}};
    float[] expected = call.keyLengths(Masks.keyLengths(scope, mask)).forward(scope).toFloatArray();
    Tensor any = scope.copyOf(new boolean[] {T, T, F, F, F, F}, 2, 1, 1, 3);
    Tensor out = call.keyLengths(null).mask(any).forward(scope);
    assertArrayEquals(expected, out.toFloatArray(), 1e-6f);
    assertArrayEquals(new float[4], out.select(0, 1).toFloatArray());
  }

  private static float[] numbers(int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = i * 0.25f - 2;
    }
    return numbers;
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** ALiBi slopes that sequences or heads share are one; their gradient is the sum of all. */
class SlopesOfLowerRankTest {
  private static final int BATCH = 2;
  private static final int HEADS = 4;

  private final Scope scope = Scope.open();
  private final Random random = new Random(10);

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor drawn(long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return tensor.copyFrom(values);
  }

  /** out, then the gradient of the slopes, which is of their shape. */
  private float[][] results(AttentionCall call, Tensor dout, Tensor slopes) {
    call.alibiSlopes(slopes);
    Tensor out = call.forward(scope);
    Tensor gradient = scope.allocate(DType.FLOAT32, slopes.shape()).fill(Float.NaN);
    call.gradients(dout).dalibiSlopes(gradient).backward(scope);
    return new float[][] {out.toFloatArray(), gradient.toFloatArray()};
  }

  /** [B, Hq] with what {@code slopes}, of any rank, says of each. */
  private Tensor full(Tensor slopes) {
    Tensor full = scope.allocate(DType.FLOAT32, BATCH, HEADS);
    for (int b = 0; b < BATCH; b++) {
      for (int h = 0; h < HEADS; h++) {
        full.setFloat(slopes.toFloatArray()[index(slopes, b, h)], b, h);
      }
    }
    return full;
  }

  private static int index(Tensor slopes, int b, int h) {
    int heads = (int) slopes.size(slopes.rank() - 1);
    boolean batch = slopes.rank() == 2 && slopes.size(0) > 1;
    return (batch ? b * heads : 0) + (heads > 1 ? h : 0);
  }

  private void assertBroadcast(AttentionCall call, Tensor dout) {
    for (long[] shape : new long[][] {{HEADS}, {1}, {1, HEADS}, {BATCH, 1}, {1, 1}}) {
      Tensor slopes = drawn(shape);
      float[][] expected = results(call, dout, full(slopes));
      float[] sums = new float[(int) slopes.elements()];
      for (int b = 0; b < BATCH; b++) {
        for (int h = 0; h < HEADS; h++) {
          sums[index(slopes, b, h)] += expected[1][b * HEADS + h];
        }
      }
      float[][] got = results(call, dout, slopes);
      assertArrayEquals(expected[0], got[0], "out with " + slopes);
      assertArrayEquals(sums, got[1], 1e-4f, "gradient of " + slopes);
    }
  }

  @Test
  void asWithASlopeForEachSequenceAndHead() {
    Tensor key = drawn(BATCH, 5, 2, 8);
    AttentionCall call =
        Attention.create()
            .call(drawn(BATCH, 3, HEADS, 8), key, key)
            .lse(scope.allocate(DType.FLOAT32, BATCH, HEADS, 3));
    assertBroadcast(call, drawn(BATCH, 3, HEADS, 8));
  }

  @Test
  void inAPackedBatchToo() {
    Tensor key = drawn(9, 2, 8);
    Tensor queries = scope.copyOf(new int[] {0, 4, 7}, 3);
    AttentionCall call =
        Attention.builder()
            .causal()
            .build()
            .call(drawn(7, HEADS, 8), key, key)
            .cuSeqlens(queries, scope.copyOf(new int[] {0, 3, 9}, 3), 4, 6)
            .lse(scope.allocate(DType.FLOAT32, HEADS, 7));
    assertBroadcast(call, drawn(7, HEADS, 8));
  }

  @Test
  void theGradientHasTheRankOfTheSlopes() {
    Tensor key = drawn(BATCH, 5, 2, 8);
    Tensor dout = drawn(BATCH, 3, HEADS, 8);
    AttentionCall call =
        Attention.create()
            .call(drawn(BATCH, 3, HEADS, 8), key, key)
            .alibiSlopes(drawn(HEADS))
            .lse(scope.allocate(DType.FLOAT32, BATCH, HEADS, 3));
    call.forward(scope);
    AttentionBackward backward = call.gradients(dout).dalibiSlopes(drawn(1, HEADS));
    assertEquals(
        "dalibiSlopes has shape [1, 4], expected that of alibiSlopes = [4]",
        assertThrows(IllegalArgumentException.class, () -> backward.backward(scope)).getMessage());
    call.alibiSlopes(drawn(3));
    assertEquals(
        "alibiSlopes has shape [3], expected [Hq or 1] = [4]",
        assertThrows(IllegalArgumentException.class, () -> call.forward(scope)).getMessage());
  }
}

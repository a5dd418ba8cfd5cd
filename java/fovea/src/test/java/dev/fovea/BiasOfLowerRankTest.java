package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Dimensions that a bias lacks on the left are broadcast, as in numpy; its gradient sums over them.
 */
class BiasOfLowerRankTest {
  private final Scope scope = Scope.open();
  private final Random random = new Random(9);

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

  /** out, then the gradient of the bias, which is of its shape. */
  private float[][] results(AttentionCall call, Tensor dout, Tensor bias) {
    call.bias(bias);
    Tensor out = call.forward(scope);
    Tensor dbias = scope.allocate(DType.FLOAT32, bias.shape()).fill(Float.NaN);
    call.gradients(dout).dbias(dbias).backward(scope);
    return new float[][] {out.toFloatArray(), dbias.toFloatArray()};
  }

  private void assertSame(AttentionCall call, Tensor dout, Tensor lower, Tensor full) {
    float[][] expected = results(call, dout, full);
    float[][] got = results(call, dout, lower);
    assertArrayEquals(expected[0], got[0], lower + " as " + full);
    assertArrayEquals(expected[1], got[1], lower + " as " + full);
  }

  /** B 2, Sq 3, Sk 5, Hq 4. */
  private AttentionCall dense() {
    Tensor key = drawn(2, 5, 2, 8);
    return Attention.create()
        .call(drawn(2, 3, 4, 8), key, key)
        .lse(scope.allocate(DType.FLOAT32, 2, 4, 3));
  }

  /** B 2, Tq 7, longest Sk 6, Hq 4. */
  private AttentionCall packed() {
    Tensor key = drawn(9, 2, 8);
    return Attention.create()
        .call(drawn(7, 4, 8), key, key)
        .cuSeqlens(scope.copyOf(new int[] {0, 4, 7}, 3), scope.copyOf(new int[] {0, 3, 9}, 3), 4, 6)
        .lse(scope.allocate(DType.FLOAT32, 4, 7));
  }

  @Test
  void asWithTheMissingDimensionsOfSizeOne() {
    AttentionCall call = dense();
    Tensor dout = drawn(2, 3, 4, 8);
    for (long heads : new long[] {1, 4}) {
      for (long positions : new long[] {1, 3}) {
        Tensor bias = drawn(heads, positions, 5);
        assertSame(call, dout, bias, bias.reshape(1, heads, positions, 5));
        // Heads last in memory.
        Tensor strided = drawn(positions, heads, 5).permute(1, 0, 2);
        Tensor copy = scope.allocate(DType.FLOAT32, 1, heads, positions, 5);
        copy.select(0, 0).copyFrom(strided);
        assertSame(call, dout, strided, copy);
      }
    }
    for (long positions : new long[] {1, 3}) {
      Tensor bias = drawn(positions, 5);
      assertSame(call, dout, bias, bias.reshape(1, 1, positions, 5));
    }
  }

  @Test
  void asWithOneHeadInAPackedBatch() {
    Tensor bias = drawn(7, 6);
    assertSame(packed(), drawn(7, 4, 8), bias, bias.reshape(1, 7, 6));
  }

  @Test
  void theGradientHasTheRankOfTheBias() {
    Tensor dout = drawn(2, 3, 4, 8);
    AttentionCall call = dense().bias(drawn(3, 5));
    call.forward(scope);
    AttentionBackward backward = call.gradients(dout).dbias(drawn(1, 1, 3, 5));
    assertEquals(
        "dbias has shape [1, 1, 3, 5], expected that of bias = [3, 5]",
        assertThrows(IllegalArgumentException.class, () -> backward.backward(scope)).getMessage());
    long[] shape = {4, 3, 5};
    call.bias(drawn(shape)).forward(scope);
    backward.dbias(Tensor.of(drawn(shape).segment(), DType.FLOAT32, shape, new long[] {5, 0, 1}));
    assertEquals(
        "dbias has stride 0 in dimension 1 of size 3, expected distinct elements",
        assertThrows(IllegalArgumentException.class, () -> backward.backward(scope)).getMessage());
  }
}

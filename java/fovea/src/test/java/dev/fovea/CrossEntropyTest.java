package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Losses are those of the formula, and their gradients what training needs of it. */
class CrossEntropyTest {

  private static final float ROOM = 2e-6f;

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor random(long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    Random random = new Random(seed);
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat(-3, 3);
    }
    return tensor.copyFrom(values);
  }

  /** Of rows [rows, classes]. */
  private static float[] losses(float[] x, int[] targets, float[] weights, double smoothing) {
    int classes = x.length / targets.length;
    float[] losses = new float[targets.length];
    for (int row = 0; row < targets.length; row++) {
      double sum = 0;
      for (int v = 0; v < classes; v++) {
        sum += Math.exp(x[row * classes + v]);
      }
      double loss = 0;
      for (int v = 0; v < classes; v++) {
        double share = smoothing / classes + (v == targets[row] ? 1 - smoothing : 0);
        loss += share * weights[v] * (Math.log(sum) - x[row * classes + v]);
      }
      losses[row] = targets[row] < 0 ? 0 : (float) loss;
    }
    return losses;
  }

  private static final float[] ONES = {1, 1, 1, 1, 1};

  @Test
  void lossesOfRows() {
    Tensor logits = random(1, 2, 3, 5);
    int[] targets = {0, 4, 2, -100, 1, 1};
    Tensor of = scope.copyOf(targets, 2, 3);
    float[] x = logits.toFloatArray();
    Tensor out = CrossEntropy.create().forward(scope, logits, of);
    assertEquals(DType.FLOAT32, out.dtype());
    assertArrayEquals(new long[] {2, 3}, out.shape());
    assertArrayEquals(losses(x, targets, ONES, 0), out.toFloatArray(), ROOM);
    CrossEntropy smoothed = CrossEntropy.create().labelSmoothing(0.25);
    assertArrayEquals(
        losses(x, targets, ONES, 0.25), smoothed.forward(scope, logits, of).toFloatArray(), ROOM);
    float[] weights = {1, 0.5f, 2, 0, 3};
    assertArrayEquals(
        losses(x, targets, weights, 0.25),
        smoothed
            .call(logits, of)
            .classWeight(scope.copyOf(weights, 5))
            .forward(scope)
            .toFloatArray(),
        2 * ROOM);
  }

  /** Of another type than logits, and of views. */
  @Test
  void logitsMayBeNarrowAndStrided() {
    Tensor wide = random(2, 3, 2, 2, 5);
    Tensor of = scope.copyOf(new int[] {0, 4, 2, 3, 1, 1}, 3, 2);
    CrossEntropy loss = CrossEntropy.create();
    Tensor view = wide.select(2, 1);
    Tensor dense = scope.allocate(DType.FLOAT32, 3, 2, 5).copyFrom(view.toFloatArray());
    float[] expected = loss.forward(scope, dense, of).toFloatArray();
    assertArrayEquals(expected, loss.forward(scope, view, of).toFloatArray());
    Tensor narrow = dense.to(scope, DType.BFLOAT16);
    Tensor out = loss.forward(scope, narrow, of);
    assertEquals(DType.FLOAT32, out.dtype());
    assertArrayEquals(
        loss.forward(scope, narrow.to(scope, DType.FLOAT32), of).toFloatArray(),
        out.toFloatArray());
  }

  /** A step along the gradient makes the sum of losses smaller, by what the gradient says. */
  @Test
  void gradientsAreOfTheLosses() {
    Tensor logits = random(3, 2, 3, 7);
    int[] targets = {0, 6, 2, -1, 1, 1};
    Tensor of = scope.copyOf(targets, 2, 3);
    Tensor dout = scope.allocate(DType.FLOAT32, 2, 3).fill(0.2f);
    Tensor lse = scope.allocate(DType.FLOAT32, 2, 3);
    for (double smoothing : new double[] {0, 0.3}) {
      CrossEntropy loss = CrossEntropy.create().labelSmoothing(smoothing);
      CrossEntropyCall call = loss.call(logits, of).lse(lse);
      CrossEntropyBackward backward = call.gradients(dout);
      assertThrows(IllegalStateException.class, () -> backward.backward(scope)); // before a run
      double before = sum(call.forward(scope));
      float[] gradient = backward.backward(scope).toFloatArray();
      double squares = 0;
      float[] x = logits.toFloatArray();
      for (int i = 0; i < x.length; i++) {
        squares += gradient[i] * gradient[i];
        x[i] -= 0.01f * gradient[i];
        assertEquals(i / 7 == 3, gradient[i] == 0);
      }
      Tensor moved = scope.allocate(DType.FLOAT32, 2, 3, 7).copyFrom(x);
      double after = sum(loss.forward(scope, moved, of));
      assertEquals(0.01 * squares / 0.2, before - after, 0.01 * squares);
      Tensor elsewhere = loss.call(logits, of).gradients(dout, lse).backward(scope);
      assertArrayEquals(gradient, elsewhere.toFloatArray());
      Tensor narrow = scope.allocate(DType.BFLOAT16, 2, 3, 7);
      assertEquals(narrow, backward.dlogits(narrow).backward(scope));
      assertArrayEquals(gradient, narrow.toFloatArray(), 0x1p-9f);
    }
  }

  private static double sum(Tensor tensor) {
    double sum = 0;
    for (float value : tensor.toFloatArray()) {
      sum += value;
    }
    return sum;
  }

  /** Masked classes are -infinity; a masked target is no number that could be trained. */
  @Test
  void logitsMayBeMinusInfinity() {
    Tensor logits = random(4, 1, 2, 4);
    logits.setFloat(Float.NEGATIVE_INFINITY, 0, 0, 1);
    logits.setFloat(Float.NEGATIVE_INFINITY, 0, 1, 2);
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 2);
    Tensor of = scope.copyOf(new int[] {0, 2}, 1, 2);
    CrossEntropyCall call = CrossEntropy.create().call(logits, of).lse(lse);
    Tensor out = call.forward(scope);
    assertTrue(Float.isFinite(out.getFloat(0, 0)));
    assertEquals(Float.POSITIVE_INFINITY, out.getFloat(0, 1));
    Tensor dlogits = call.gradients(scope.allocate(DType.FLOAT32, 1, 2).fill(1)).backward(scope);
    assertEquals(0, dlogits.getFloat(0, 0, 1));
    assertEquals(-1, dlogits.getFloat(0, 1, 2));
  }

  @Test
  void refusalsNameWhatIsWrong() {
    Tensor logits = random(5, 2, 3, 4);
    CrossEntropy loss = CrossEntropy.create();
    Tensor of = scope.copyOf(new int[] {0, 1, 2, 3, 4, 0}, 2, 3);
    refused("targets[1, 1] is 4, expected 0 to 3", () -> loss.forward(scope, logits, of));
    refused("labelSmoothing is -0.1, expected 0 to 1", () -> loss.labelSmoothing(-0.1));
    refused(
        "logits has shape [2, 3], expected [B, S, V] = [any, any, any]",
        () -> loss.forward(scope, logits.select(2, 0), of));
    CrossEntropyCall call = loss.call(logits, of);
    assertThrows(IllegalStateException.class, call::run);
    assertThrows(NullPointerException.class, () -> loss.call(logits, null));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
    assertThrows(NullPointerException.class, () -> call.gradients(logits, null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    CrossEntropy plain = CrossEntropy.create();
    assertEquals(plain, CrossEntropy.create());
    assertEquals(
        plain.labelSmoothing(0.1).hashCode(), CrossEntropy.create().labelSmoothing(0.1).hashCode());
    assertNotEquals(plain, plain.labelSmoothing(0.1));
    assertEquals("CrossEntropy[]", plain.toString());
    assertEquals("CrossEntropy[smoothing=0.5]", plain.labelSmoothing(0.5).toString());
    CrossEntropyCall call = plain.call(random(6, 1, 1, 2), scope.copyOf(new int[1], 1, 1));
    String text = call.toString();
    assertTrue(text.startsWith("CrossEntropyCall[CrossEntropy[], logits "), text);
    String backward = call.gradients(random(7, 1, 1)).toString();
    assertTrue(backward.startsWith("CrossEntropyBackward[dout "), backward);
  }
}

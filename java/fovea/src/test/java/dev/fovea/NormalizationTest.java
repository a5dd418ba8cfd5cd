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

/** Rows are normalized each by itself, whatever way they lie, and their gradients found. */
class NormalizationTest {

  private static final float ROOM = 1e-6f; // of numbers of a few units, in float32

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
      values[i] = random.nextFloat(-1, 1);
    }
    return tensor.copyFrom(values);
  }

  /** Dense rows [rows, width]; weight and bias of one row, null for none. */
  private static float[] normalized(
      float[] x, int width, boolean centered, double epsilon, float[] weight, float[] bias) {
    float[] out = x.clone();
    for (int at = 0; at < x.length; at += width) {
      double mean = 0;
      double squares = 0;
      for (int i = at; i < at + width; i++) {
        mean += centered ? (double) x[i] / width : 0;
      }
      for (int i = at; i < at + width; i++) {
        squares += (x[i] - mean) * (x[i] - mean) / width;
      }
      for (int i = 0; i < width; i++) {
        double z = (x[at + i] - mean) / Math.sqrt(squares + epsilon);
        double scaled = weight == null ? z : z * weight[i];
        out[at + i] = (float) (bias == null ? scaled : scaled + bias[i]);
      }
    }
    return out;
  }

  @Test
  void rowsAreNormalized() {
    Tensor x = random(1, 2, 4, 1, 37);
    Tensor weight = random(2, 37);
    Tensor bias = random(3, 1, 37);
    float[] rows = x.toFloatArray();
    Tensor out = Normalization.layer(1e-5).forward(scope, x, weight, bias);
    assertArrayEquals(x.shape(), out.shape());
    float[] w = weight.toFloatArray();
    float[] b = bias.toFloatArray();
    assertArrayEquals(normalized(rows, 37, true, 1e-5, w, b), out.toFloatArray(), ROOM);
    assertArrayEquals(
        normalized(rows, 37, false, 0.5, w, null),
        Normalization.rms(0.5).forward(scope, x, weight, null).toFloatArray(),
        ROOM);
    assertArrayEquals(
        normalized(rows, 37, true, 0, null, null),
        Normalization.layer(0).forward(scope, x, null, null).toFloatArray(),
        2 * ROOM);
  }

  @Test
  void momentsAreGiven() {
    Tensor x = scope.copyOf(new float[] {1, 2, 3, 6, 0, 0, 0, 0}, 1, 2, 1, 4);
    Tensor mean = scope.allocate(DType.FLOAT32, 1, 2, 1);
    Tensor inverse = scope.allocate(DType.FLOAT32, 1, 2, 1);
    Normalization.layer(0.5).call(x).mean(mean).inverse(inverse).forward(scope);
    assertArrayEquals(new float[] {3, 0}, mean.toFloatArray());
    assertArrayEquals(new float[] {0.5f, (float) Math.sqrt(2)}, inverse.toFloatArray(), ROOM);
    Normalization.rms(3.5).call(x).inverse(inverse).forward(scope);
    assertEquals(0.25f, inverse.toFloatArray()[0]);
    NormalizationCall refused = Normalization.rms(3.5).call(x).mean(mean);
    refused("what is not centered has none", () -> refused.forward(scope));
    refused.mean(null).forward(scope);
  }

  /** Rows of heads with a weight each, [B, H, S, D] permuted, and rows of any tensor. */
  @Test
  void viewsGiveWhatDenseRowsDo() {
    Tensor heads = random(7, 2, 3, 5, 10);
    Tensor dense = scope.allocate(DType.FLOAT32, 2, 5, 3, 10);
    dense.copyFrom(heads.permute(0, 2, 1, 3));
    Tensor weight = random(8, 3, 10);
    Normalization rms = Normalization.rms(1e-6);
    Tensor out = scope.allocate(DType.FLOAT32, 2, 3, 5, 10).permute(0, 2, 1, 3);
    rms.call(heads.permute(0, 2, 1, 3)).weight(weight).out(out).run();
    float[] expected = rms.forward(scope, dense, weight, null).toFloatArray();
    assertArrayEquals(expected, out.toFloatArray());
    for (int head = 0; head < 3; head++) {
      Tensor rows = dense.slice(2, head, head + 1);
      assertArrayEquals(
          rms.forward(scope, rows, weight.select(0, head), null).toFloatArray(),
          out.slice(2, head, head + 1).toFloatArray());
    }
    Tensor rows = rms.forward(scope, dense.reshape(1, 30, 1, 10), null, null);
    assertArrayEquals(rms.forward(scope, dense, null, null).toFloatArray(), rows.toFloatArray());
  }

  /**
   * Without a run before; dx of a row is orthogonal to ones and to the row, if nothing is added.
   */
  @Test
  void gradientsOfRows() {
    Tensor x = random(10, 1, 6, 1, 50);
    Tensor dout = random(11, 1, 6, 1, 50);
    float[] rows = x.toFloatArray();
    for (boolean centered : new boolean[] {true, false}) {
      Normalization normalization = centered ? Normalization.layer(0) : Normalization.rms(0);
      float[] dx = normalization.call(x).gradients(dout).backward(scope).toFloatArray();
      for (int row = 0; row < 6; row++) {
        double sum = 0;
        double product = 0;
        for (int i = row * 50; i < row * 50 + 50; i++) {
          sum += dx[i];
          product += dx[i] * rows[i];
        }
        assertEquals(0, product, 1e-5);
        assertTrue(centered == Math.abs(sum) < 1e-5, centered + " " + sum);
      }
    }
  }

  @Test
  void gradientsOfWeightsAreSumsOverRows() {
    Tensor x = random(12, 2, 40, 3, 20);
    Tensor dout = random(13, 2, 40, 3, 20);
    Normalization layer = Normalization.layer(1e-5);
    float[] z = layer.forward(scope, x, null, null).toFloatArray();
    float[] gradient = dout.toFloatArray();
    double[] products = new double[60];
    double[] sums = new double[60];
    for (int i = 0; i < z.length; i++) {
      products[i % 60] += (double) gradient[i] * z[i];
      sums[i % 60] += gradient[i];
    }
    NormalizationCall each = layer.call(x).weight(random(14, 3, 20)).bias(random(15, 20));
    Tensor dweight = scope.allocate(DType.FLOAT32, 3, 20);
    Tensor dbias = scope.allocate(DType.FLOAT32, 20);
    each.gradients(dout).dweight(dweight).dbias(dbias).backward(scope);
    for (int i = 0; i < 60; i++) {
      assertEquals(products[i], dweight.toFloatArray()[i], 3e-5);
    }
    for (int i = 0; i < 20; i++) {
      assertEquals(sums[i] + sums[20 + i] + sums[40 + i], dbias.toFloatArray()[i], 3e-5);
    }
    float[] once = dweight.toFloatArray();
    each.gradients(dout).dweight(dweight).accumulate(true).backward(scope);
    for (int i = 0; i < 60; i++) {
      assertEquals(2 * once[i], dweight.toFloatArray()[i]);
    }
  }

  @Test
  void dxIsAddedToWhereThatIsAsked() {
    Tensor x = random(16, 1, 5, 1, 30);
    Tensor dout = random(17, 1, 5, 1, 30);
    NormalizationBackward backward = Normalization.layer(1e-5).call(x).gradients(dout);
    float[] alone = backward.backward(scope).toFloatArray();
    Tensor dx = random(18, 1, 5, 1, 30);
    float[] before = dx.toFloatArray();
    backward.dx(dx).accumulateDx(true).run();
    for (int i = 0; i < alone.length; i++) {
      assertEquals(before[i] + alone[i], dx.toFloatArray()[i]);
    }
    backward.accumulateDx(false).accumulate(true).run(); // which is of weights
    assertArrayEquals(alone, dx.toFloatArray());
    Tensor fresh =
        Normalization.layer(1e-5).call(x).gradients(dout).accumulateDx(true).backward(scope);
    assertArrayEquals(alone, fresh.toFloatArray());
  }

  @Test
  void outMayHaveAnotherType() {
    Tensor x = random(19, 1, 3, 2, 8);
    Normalization narrow = Normalization.layer(1e-5).outDType(DType.BFLOAT16);
    Tensor out = narrow.forward(scope, x, null, null);
    assertEquals(DType.BFLOAT16, out.dtype());
    float[] exact = Normalization.layer(1e-5).forward(scope, x, null, null).toFloatArray();
    assertArrayEquals(exact, out.toFloatArray(), 0x1p-7f);
    assertEquals(DType.FLOAT32, narrow.call(x).gradients(out).backward(scope).dtype());
    refused(
        "dout is FLOAT32, expected BFLOAT16", () -> narrow.call(x).gradients(x).backward(scope));
  }

  @Test
  void refusalsNameWhatIsWrong() {
    Normalization layer = Normalization.layer(1e-5);
    Tensor x = random(20, 2, 5, 3, 7);
    refused(
        "x has shape [5, 3, 7], expected [B, S, H, D] = [any, any, any, any]",
        () -> layer.forward(scope, x.select(0, 0), null, null));
    refused(
        "weight has shape [1, 8], expected [H or 1, D] = [3, 7]",
        () -> layer.forward(scope, x, random(21, 8), null));
    NormalizationCall call = layer.call(x);
    refused("out shares memory with x", () -> call.out(x).run());
    refused(
        "dweight is set, but the call has no weight",
        () -> call.gradients(x).dweight(random(22, 7)).backward(scope));
    for (double epsilon : new double[] {-1e-9, Double.NaN, 1e39, Double.POSITIVE_INFINITY}) {
      refused("epsilon is " + epsilon, () -> Normalization.layer(epsilon));
      refused("epsilon is " + epsilon, () -> Normalization.rms(epsilon));
    }
    refused("outDType is BOOL, expected a floating type", () -> layer.outDType(DType.BOOL));
    assertThrows(IllegalStateException.class, () -> layer.call(x).run());
    assertThrows(NullPointerException.class, () -> layer.call(null));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    assertEquals(Normalization.layer(1e-5), Normalization.layer(1e-5));
    assertEquals(Normalization.rms(0).hashCode(), Normalization.rms(0).hashCode());
    assertNotEquals(Normalization.layer(1e-5), Normalization.rms(1e-5));
    assertNotEquals(Normalization.layer(1e-5), Normalization.layer(1e-6));
    Normalization narrow = Normalization.rms(0.5).outDType(DType.FLOAT16);
    assertNotEquals(Normalization.rms(0.5), narrow);
    assertEquals("Normalization[layer, epsilon=1.0E-5]", Normalization.layer(1e-5).toString());
    assertEquals("Normalization[rms, epsilon=0.5, out=FLOAT16]", narrow.toString());
    NormalizationCall call = narrow.call(random(23, 1, 5, 1, 6));
    String text = call.toString();
    assertTrue(
        text.startsWith("NormalizationCall[Normalization[rms, epsilon=0.5, out=FLOAT16], x "),
        text);
    String backward = call.gradients(random(24, 1, 5, 1, 6)).toString();
    assertTrue(backward.startsWith("NormalizationBackward[dout "), backward);
  }
}

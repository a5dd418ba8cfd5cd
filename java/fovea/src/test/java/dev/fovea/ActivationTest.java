package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation.Function;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Functions of elements with what stands around them, and their gradients one by one. */
class ActivationTest {

  private static final float ROOM = 1e-6f; // of numbers below 2, in float32

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

  private Tensor row(float... values) {
    return scope.copyOf(values, 1, 1, values.length);
  }

  /** To seven digits, by tables. */
  @Test
  void functionsByHand() {
    Tensor x = row(-2, -0.5f, 0, 0.5f, 2);
    assertOut(Activation.identity(), x, -2, -0.5f, 0, 0.5f, 2);
    assertOut(Activation.relu(), x, 0, 0, 0, 0.5f, 2);
    assertOut(Activation.gelu(), x, -0.0455003f, -0.1542688f, 0, 0.3457312f, 1.9544997f);
    assertOut(Activation.geluTanh(), x, -0.0454023f, -0.1542860f, 0, 0.3457140f, 1.9545977f);
    assertOut(Activation.silu(), x, -0.2384058f, -0.1887703f, 0, 0.3112297f, 1.7615942f);
    assertOut(Activation.sigmoid(), x, 0.1192029f, 0.3775407f, 0.5f, 0.6224593f, 0.8807971f);
    assertOut(Activation.tanh(), x, -0.9640276f, -0.4621172f, 0, 0.4621172f, 0.9640276f);
  }

  private void assertOut(Activation activation, Tensor x, float... expected) {
    assertArrayEquals(expected, activation.forward(scope, x).toFloatArray(), ROOM);
  }

  @Test
  void limitsAreExact() {
    float infinity = Float.POSITIVE_INFINITY;
    Tensor x = row(-infinity, -Float.MAX_VALUE, Float.MAX_VALUE, infinity, Float.NaN);
    float most = Float.MAX_VALUE;
    for (Function f : List.of(Function.RELU, Function.GELU, Function.GELU_TANH, Function.SILU)) {
      float[] out = Activation.of(f).forward(scope, x).toFloatArray();
      assertArrayEquals(new float[] {0, 0, most, infinity, Float.NaN}, out, 0, f.name());
      Tensor ones = row(1, 1, 1, 1, 1);
      float[] dx = Activation.of(f).call(x).gradients(ones).backward(scope).toFloatArray();
      assertArrayEquals(new float[] {0, 0, 1, 1, Float.NaN}, dx, 0, f.name());
    }
    assertArrayEquals(
        new float[] {0, 0, 1, 1, Float.NaN}, Activation.sigmoid().forward(scope, x).toFloatArray());
    assertArrayEquals(
        new float[] {-1, -1, 1, 1, Float.NaN}, Activation.tanh().forward(scope, x).toFloatArray());
  }

  /** SwiGLU: halves of one product, a bias of columns, and the way around. */
  @Test
  void whatStandsAround() {
    Tensor both = random(1, 2, 3, 8);
    Tensor bias = random(2, 4);
    Tensor residual = random(3, 2, 3, 4);
    Tensor x = both.slice(2, 0, 4);
    Tensor gate = both.slice(2, 4, 8);
    Tensor out = Activation.silu().call(x).bias(bias).gate(gate).residual(residual).forward(scope);
    float[] expected = new float[24];
    float[] products = both.toFloatArray();
    for (int i = 0; i < 24; i++) {
      double z = products[i / 4 * 8 + i % 4] + bias.toFloatArray()[i % 4];
      double y = z / (1 + Math.exp(-z)) * products[i / 4 * 8 + 4 + i % 4];
      expected[i] = (float) (y + residual.toFloatArray()[i]);
    }
    assertArrayEquals(expected, out.toFloatArray(), ROOM);
    float[] plain = Activation.silu().forward(scope, x).toFloatArray();
    ActivationCall call = Activation.silu().call(x).bias(bias).gate(gate).residual(residual);
    call.bias(null).gate(null).residual(null);
    assertArrayEquals(plain, call.forward(scope).toFloatArray());
  }

  /** Each alone is what it is among all; none reads what it does not need. */
  @Test
  void gradientsOneByOne() {
    Tensor x = random(4, 2, 5, 6);
    Tensor gate = random(5, 2, 5, 6);
    Tensor dout = random(6, 2, 5, 6);
    ActivationCall call = Activation.gelu().call(x).bias(random(7, 6)).gate(gate).residual(x);
    Tensor dx = random(8, 2, 5, 6);
    Tensor dgate = random(9, 2, 5, 6);
    Tensor dresidual = random(10, 2, 5, 6);
    Tensor dbias = random(11, 6);
    call.gradients(dout).dx(dx).dbias(dbias).dgate(dgate).dresidual(dresidual).run();
    float[] sums = new float[6];
    for (int i = 0; i < 60; i++) {
      sums[i % 6] += dx.toFloatArray()[i];
    }
    assertArrayEquals(sums, dbias.toFloatArray(), 5 * ROOM);
    assertArrayEquals(dout.toFloatArray(), dresidual.toFloatArray());
    Tensor one = scope.allocate(DType.FLOAT32, 2, 5, 6);
    assertArrayEquals(
        dx.toFloatArray(), call.gradients(dout).dx(one).backward(scope).toFloatArray());
    call.gradients(dout).dgate(one).run();
    assertArrayEquals(dgate.toFloatArray(), one.toFloatArray());
    call.gradients(dout).dresidual(one).run();
    assertArrayEquals(dout.toFloatArray(), one.toFloatArray());
    Tensor sum = scope.allocate(DType.FLOAT32, 6).fill(1);
    call.gradients(dout).dbias(sum).accumulate(true).run();
    for (int i = 0; i < 6; i++) {
      assertEquals(1 + dbias.toFloatArray()[i], sum.toFloatArray()[i], ROOM);
    }
  }

  /** What a linear layer needs of its bias: x may be anything of that shape. */
  @Test
  void theSumOfColumns() {
    Tensor dout = random(12, 1, 300, 7);
    Tensor nothing = scope.allocate(DType.FLOAT32, 1, 300, 7).fill(Float.NaN);
    Tensor dbias = scope.allocate(DType.FLOAT32, 7);
    Activation.identity()
        .call(nothing)
        .bias(scope.allocate(DType.FLOAT32, 7).fill(Float.NaN))
        .gradients(dout)
        .dbias(dbias)
        .run();
    double[] sums = new double[7];
    for (int i = 0; i < 2100; i++) {
      sums[i % 7] += dout.toFloatArray()[i];
    }
    for (int i = 0; i < 7; i++) {
      assertEquals(sums[i], dbias.toFloatArray()[i], 50 * ROOM);
    }
  }

  @Test
  void typesOfGradientsFollowEachOther() {
    Tensor x = random(13, 1, 4, 8).to(scope, DType.BFLOAT16);
    Tensor dout = random(14, 1, 4, 8);
    ActivationCall call = Activation.tanh().outDType(DType.FLOAT32).call(x).gate(x);
    assertEquals(DType.FLOAT32, call.forward(scope).dtype());
    assertEquals(DType.BFLOAT16, call.gradients(dout).backward(scope).dtype());
    Tensor dgate = scope.allocate(DType.FLOAT16, 1, 4, 8);
    assertEquals(DType.FLOAT16, call.gradients(dout).dgate(dgate).backward(scope).dtype());
  }

  /** The backward pass drops what its forward did, or, without one, what the call would. */
  @Test
  void dropoutIsThatOfTheRun() {
    Tensor x = random(15, 3, 40, 64);
    Activation half = Activation.identity().dropout(0.5);
    ActivationCall call = half.call(x);
    assertThrows(IllegalStateException.class, () -> call.forward(scope));
    assertThrows(IllegalStateException.class, () -> call.gradients(x).backward(scope));
    float[] out = call.dropoutSeed(7, 1).forward(scope).toFloatArray();
    float[] before = x.toFloatArray();
    int dropped = 0;
    for (int i = 0; i < out.length; i++) {
      assertTrue(out[i] == 0 || out[i] == 2 * before[i]);
      dropped += out[i] == 0 ? 1 : 0;
    }
    assertEquals(0.5, dropped / (double) out.length, 0.05);
    call.dropoutSeed(7, 2); // for the next step
    assertArrayEquals(out, call.gradients(x).backward(scope).toFloatArray());
    ActivationCall other = half.call(x).dropoutSeed(7, 1);
    assertArrayEquals(out, other.gradients(x).backward(scope).toFloatArray());
    float[] second = call.forward(scope).toFloatArray();
    int different = 0;
    for (int i = 0; i < out.length; i++) {
      different += (second[i] == 0) != (out[i] == 0) ? 1 : 0;
    }
    assertEquals(0.5, different / (double) out.length, 0.05);
    assertArrayEquals(before, half.eval().forward(scope, x).toFloatArray());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    Tensor x = random(16, 2, 5, 6);
    ActivationCall call = Activation.relu().call(x);
    refused(
        "x has shape [5, 6], expected [B, S, D] = [any, any, any]",
        () -> Activation.relu().forward(scope, x.select(0, 0)));
    refused(
        "gate has shape [2, 5, 3], expected [B, S, D] = [2, 5, 6]",
        () -> Activation.relu().call(x).gate(random(17, 2, 5, 3)).forward(scope));
    refused(
        "bias has shape [5], expected [D] = [6]",
        () -> Activation.relu().call(x).bias(random(18, 5)).forward(scope));
    refused(
        "bias is FLOAT16, expected FLOAT32",
        () -> Activation.relu().call(x).bias(scope.allocate(DType.FLOAT16, 6)).forward(scope));
    refused(
        "residual is BFLOAT16, expected FLOAT32",
        () ->
            Activation.relu()
                .call(x)
                .residual(scope.allocate(DType.BFLOAT16, 2, 5, 6))
                .forward(scope));
    refused("out shares memory with x", () -> call.out(x).run());
    refused(
        "dgate is set, but the call has no gate",
        () -> call.gradients(x).dgate(random(19, 2, 5, 6)).run());
    refused("dropout is 1.0, expected at least 0", () -> Activation.relu().dropout(1));
    refused("dropout is -0.1, expected at least 0", () -> Activation.relu().dropout(-0.1));
    refused("outDType is BOOL, expected a", () -> Activation.relu().outDType(DType.BOOL));
    Exception none = assertThrows(IllegalStateException.class, () -> call.gradients(x).run());
    assertTrue(none.getMessage().startsWith("no gradient is set"), none.getMessage());
    assertThrows(NullPointerException.class, () -> Activation.relu().call(null));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
    assertThrows(NullPointerException.class, () -> Activation.of(null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    assertEquals(Activation.gelu(), Activation.of(Function.GELU));
    assertEquals(Activation.gelu().hashCode(), Activation.gelu().hashCode());
    assertNotEquals(Activation.gelu(), Activation.geluTanh());
    assertNotEquals(Activation.gelu(), Activation.gelu().dropout(0.1));
    Activation relu = Activation.relu();
    assertSame(relu, relu.eval());
    Activation drops = relu.dropout(0.5).outDType(DType.FLOAT16);
    assertSame(drops.eval(), drops.eval());
    assertEquals(relu.outDType(DType.FLOAT16), drops.eval());
    assertEquals("Activation[RELU]", relu.toString());
    assertEquals("Activation[RELU, dropout=0.5, out=FLOAT16]", drops.toString());
    ActivationCall call = relu.call(random(20, 1, 2, 3));
    assertTrue(call.toString().startsWith("ActivationCall[Activation[RELU], x "), call.toString());
    String backward = call.gradients(random(21, 1, 2, 3)).toString();
    assertTrue(backward.startsWith("ActivationBackward[dout "), backward);
  }
}

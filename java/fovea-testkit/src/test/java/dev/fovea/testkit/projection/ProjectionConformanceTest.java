package dev.fovea.testkit.projection;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.ProjectionCall;
import dev.fovea.Scope;
import dev.fovea.SequenceProjection;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.projection.CaseBuilder.Sharing;
import org.junit.jupiter.api.Test;

/** What holds beyond one case: bits, whatever the batch and the threads; sharing; refusals. */
class ProjectionConformanceTest {

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  /**
   * A sequence among many, which are one item each, and alone, where chunks of positions are: out
   * and dx have the same bits.
   */
  @OnEveryDevice
  void bitsOfASequence(TestDevice on) {
    int batch = on.size(40, 3);
    int length = on.size(2500, 1100);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, batch, length, 1, 16);
      Tensor weight = random(scope, 2, 20, length);
      Tensor dout = random(scope, 3, batch, 20, 1, 16);
      Tensor out = scope.allocate(DType.FLOAT32, batch, 20, 1, 16);
      Tensor dx = scope.allocate(DType.FLOAT32, batch, length, 1, 16);
      ProjectionCall all = SequenceProjection.create().call(x, weight).out(out).parallelism(2);
      all.run();
      all.gradients(dout).dx(dx).run();
      for (int b = 0; b < batch; b += batch - 1) {
        ProjectionCall one =
            SequenceProjection.create().call(x.slice(0, b, b + 1), weight).parallelism(3);
        assertArrayEquals(out.slice(0, b, b + 1).toFloatArray(), one.forward(scope).toFloatArray());
        assertArrayEquals(
            dx.slice(0, b, b + 1).toFloatArray(),
            one.gradients(dout.slice(0, b, b + 1)).backward(scope).toFloatArray());
      }
    }
  }

  /** What a shorter sequence gives is what its positions alone give. */
  @OnEveryDevice
  void paddingIsNotThere(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 2, 90, 2, 24);
      Tensor weight = random(scope, 2, 2, 9, 90);
      Tensor dout = random(scope, 3, 2, 9, 2, 24);
      Tensor lengths = scope.copyOf(new int[] {71, 0}, 2);
      ProjectionCall padded = SequenceProjection.create().call(x, weight).lengths(lengths);
      Tensor out = padded.forward(scope);
      Tensor dweight = scope.allocate(DType.FLOAT32, 2, 9, 90);
      Tensor dx = padded.gradients(dout).dweight(dweight).backward(scope);
      ProjectionCall alone =
          SequenceProjection.create()
              .call(x.slice(0, 0, 1).slice(1, 0, 71), weight.slice(2, 0, 71));
      Tensor dshort = scope.allocate(DType.FLOAT32, 2, 9, 71);
      assertArrayEquals(alone.forward(scope).toFloatArray(), out.slice(0, 0, 1).toFloatArray());
      assertArrayEquals(
          alone.gradients(dout.slice(0, 0, 1)).dweight(dshort).backward(scope).toFloatArray(),
          dx.slice(0, 0, 1).slice(1, 0, 71).toFloatArray());
      assertArrayEquals(dshort.toFloatArray(), dweight.slice(2, 0, 71).toFloatArray());
      assertZero(out.slice(0, 1, 2));
      assertZero(dx.slice(0, 0, 1).slice(1, 71, 90));
      assertZero(dx.slice(0, 1, 2));
      assertZero(dweight.slice(2, 71, 90));
    }
  }

  private static void assertZero(Tensor tensor) {
    assertArrayEquals(new float[(int) tensor.elements()], tensor.toFloatArray());
  }

  /** A gradient that goes past the caches, in whole lines or, where rows are not, through them. */
  @Test
  void gradientsOfManyBytes() {
    Failed failed = new Failed(PoisonedDevice.of(TestDevice.all().findFirst().get().device()), 1);
    for (int columns : new int[] {64, 56}) {
      failed.check(
          new CaseBuilder()
              .sizes(2, 11_000, 1, 1, columns)
              .backward(DType.FLOAT32)
              .withoutDweight()
              .build());
    }
    failed.check(
        new CaseBuilder()
            .sizes(1, 4096, 257, 1, 2)
            .sharing(Sharing.ONE)
            .backward(DType.FLOAT32)
            .build());
    failed.orPass();
  }

  /** Keys and values that share a weight: their gradients add up. */
  @Test
  void gradientsOfCallsAddUp() {
    try (Scope scope = Scope.open()) {
      Tensor weight = random(scope, 1, 5, 30);
      Tensor first = scope.allocate(DType.FLOAT32, 5, 30);
      Tensor second = scope.allocate(DType.FLOAT32, 5, 30);
      Tensor both = scope.allocate(DType.FLOAT32, 5, 30);
      for (int i = 0; i < 2; i++) {
        Tensor dout = random(scope, 10 + i, 2, 5, 3, 8);
        ProjectionCall call =
            SequenceProjection.create().call(random(scope, 20 + i, 2, 30, 3, 8), weight);
        call.gradients(dout).dweight(i == 0 ? first : second).backward(scope);
        call.gradients(dout).dweight(both).accumulate(i > 0).backward(scope);
      }
      float[] sum = first.toFloatArray();
      float[] other = second.toFloatArray();
      for (int i = 0; i < sum.length; i++) {
        sum[i] += other[i];
      }
      assertArrayEquals(sum, both.toFloatArray());
    }
  }

  @Test
  void emptySizes() {
    try (Scope scope = Scope.open()) {
      Tensor dweight = random(scope, 2, 4, 6);
      ProjectionCall none =
          SequenceProjection.create()
              .call(scope.allocate(DType.FLOAT32, 0, 6, 2, 3), random(scope, 1, 4, 6));
      Tensor out = none.forward(scope);
      assertArrayEquals(new long[] {0, 4, 2, 3}, out.shape());
      none.gradients(out).dweight(dweight).backward(scope);
      assertZero(dweight);
      SequenceProjection projection = SequenceProjection.create();
      Tensor x = scope.allocate(DType.FLOAT32, 2, 0, 2, 3);
      assertZero(projection.forward(scope, x, scope.allocate(DType.FLOAT32, 4, 0)));
      Tensor rankless = scope.allocate(DType.FLOAT32, 0, 6);
      ProjectionCall call = projection.call(random(scope, 3, 2, 6, 2, 3), rankless);
      Tensor dout = call.forward(scope);
      assertEquals(0, dout.elements());
      assertZero(call.gradients(dout).dweight(scope.allocate(DType.FLOAT32, 0, 6)).backward(scope));
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 8, 3, 5);
      Tensor weight = random(scope, 2, 4, 8);
      SequenceProjection projection = SequenceProjection.create();
      refused(
          "weight has shape [4, 7], expected [R, S] = [any, 8]",
          () -> projection.forward(scope, x, random(scope, 3, 4, 7)));
      refused(
          "weight has shape [2, 4, 8], expected [H or 1, R, S] = [3, any, 8]",
          () -> projection.forward(scope, x, random(scope, 3, 2, 4, 8)));
      refused(
          "x is FLOAT32[2, 8, 15] on cpu, weight FLOAT32[4, 8] on cpu, expected [B, S, H, D]",
          () -> projection.forward(scope, x.reshape(2, 8, 15), weight));
      refused(
          "x is [2, 3, 8, 5]: is that [B, H, S, D]? permute(0, 2, 1, 3) makes it [B, S, H, D]",
          () ->
              projection
                  .call(x.permute(0, 2, 1, 3), weight)
                  .out(scope.allocate(DType.FLOAT32, 2, 3, 4, 5))
                  .run());
      refused(
          "weight is BFLOAT16, expected FLOAT32",
          () -> projection.forward(scope, x, scope.allocate(DType.BFLOAT16, 4, 8)));
      Tensor lengths = scope.copyOf(new int[] {8, 9}, 2);
      refused(
          "lengths[1] is 9, expected 0 to 8",
          () -> projection.call(x, weight).lengths(lengths).forward(scope));
      refused(
          "lengths[1] is 9, expected 0 to 8",
          () ->
              projection
                  .call(x, weight)
                  .lengths(lengths)
                  .gradients(random(scope, 4, 2, 4, 3, 5))
                  .dweight(scope.allocate(DType.FLOAT32, 4, 8))
                  .backward(scope));
      refused(
          "headDim is 513, expected 1 to 512",
          () -> projection.forward(scope, random(scope, 5, 1, 8, 1, 513), weight));
      refused(
          "outDType is INT32, expected a floating type", () -> projection.outDType(DType.INT32));
      assertThrows(IllegalStateException.class, () -> projection.call(x, weight).run());
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void textsSayWhatIsBound() {
    try (Scope scope = Scope.open()) {
      SequenceProjection projection = SequenceProjection.create();
      assertEquals(projection, SequenceProjection.create());
      assertEquals(
          "SequenceProjection[out=BFLOAT16]", projection.outDType(DType.BFLOAT16).toString());
      ProjectionCall call = projection.call(random(scope, 1, 2, 8, 3, 5), random(scope, 2, 4, 8));
      assertTrue(
          call.toString().startsWith("ProjectionCall[SequenceProjection[], x "), call.toString());
      String backward = call.gradients(random(scope, 3, 2, 4, 3, 5)).toString();
      assertTrue(backward.startsWith("ProjectionBackward[dout "), backward);
    }
  }
}

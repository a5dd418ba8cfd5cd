package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ChannelAttention;
import dev.fovea.ChannelCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.SpatialAttention;
import dev.fovea.SpatialCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What holds beyond one case: bits, whatever the batch, the threads and the size; and refusals. */
class ImageConformanceTest {

  private static final int INNER = 3;

  /** Operands and gradients of one batch of images. */
  private record Batch(Scope scope, boolean last, Tensor x, Tensor dout, Tensor out, Tensor dx) {
    static Batch of(Scope scope, boolean last, int images, int channels, int height, int width) {
      return of(scope, 0, last, images, channels, height, width);
    }

    /** Tensors that begin so many elements behind where memory does. */
    static Batch of(
        Scope scope, int offset, boolean last, int images, int channels, int height, int width) {
      Tensor[] all = new Tensor[4];
      long elements = (long) images * channels * height * width;
      for (int i = 0; i < all.length; i++) {
        Tensor memory = scope.allocate(DType.FLOAT32, offset + elements);
        Tensor flat = memory.slice(0, offset, offset + elements);
        all[i] =
            last
                ? flat.reshape(images, height, width, channels).permute(0, 3, 1, 2)
                : flat.reshape(images, channels, height, width);
      }
      return new Batch(scope, last, all[0], all[1], all[2], all[3]);
    }

    void fill(long seed) {
      x.copyFrom(random(scope, seed, x.shape()));
      dout.copyFrom(random(scope, seed + 1, x.shape()));
    }

    /** The same of images [from, to). */
    Batch slice(long from, long to) {
      Tensor[] all = {x, dout, out, dx};
      for (int i = 0; i < all.length; i++) {
        all[i] = all[i].slice(0, from, to);
      }
      return new Batch(scope, last, all[0], all[1], all[2], all[3]);
    }

    void run(boolean channel, Tensor weight1, Tensor weight2, int threads) {
      if (channel) {
        ChannelCall call = ChannelAttention.create().call(x, weight1, weight2);
        call.out(out).parallelism(threads).run();
        call.gradients(dout).dx(dx).run();
      } else {
        SpatialCall call = SpatialAttention.create().call(x, weight1);
        call.out(out).parallelism(threads).run();
        call.gradients(dout).dx(dx).run();
      }
    }
  }

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(seed);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  /**
   * All images at once, some more than every worker has, and each alone: what is large goes past
   * the caches, in whole lines, and what is small does not; images that are few are cut into parts.
   */
  @ParameterizedTest
  @CsvSource({
    "true, false, 20, 16, 40, 13, 2",
    "true, true, 20, 17, 40, 13, 3",
    "false, false, 20, 16, 40, 13, 2",
    "false, true, 20, 17, 40, 13, 3",
    // Of 32 MiB and more.
    "true, false, 12, 67, 107, 99, 2",
    "true, true, 12, 67, 107, 99, 1",
    "false, false, 12, 67, 107, 99, 1",
    "false, true, 12, 67, 107, 99, 2"
  })
  void bitsDependOnNothingElse(
      boolean channel, boolean last, int images, int channels, int height, int width, int threads) {
    try (Scope scope = Scope.open()) {
      Batch all = Batch.of(scope, last, images, channels, height, width);
      all.fill(1);
      Tensor weight1 =
          channel ? random(scope, 3, INNER, channels) : random(scope, 3, 2, INNER, INNER);
      Tensor weight2 = channel ? random(scope, 4, channels, INNER) : null;
      all.run(channel, weight1, weight2, threads);
      float[] out = all.out.toFloatArray();
      float[] dx = all.dx.toFloatArray();
      all.out.fill(Float.NaN);
      all.dx.fill(Float.NaN);
      for (int n = 0; n < images; n++) {
        all.slice(n, n + 1).run(channel, weight1, weight2, 1);
      }
      assertArrayEquals(out, all.out.toFloatArray());
      assertArrayEquals(dx, all.dx.toFloatArray());
    }
  }

  /** An image among others, and alone where its memory begins at another alignment. */
  @OnEveryDevice
  void bitsOfAnImage(TestDevice on) {
    int images = 5; // one more than share what is read of weights
    try (Scope scope = Scope.open(on.device())) {
      for (boolean channel : new boolean[] {true, false}) {
        for (boolean last : new boolean[] {true, false}) {
          Batch all = Batch.of(scope, last, images, 24, 8, 10);
          Batch apart = Batch.of(scope, 1, last, images, 24, 8, 10);
          all.fill(1);
          apart.fill(1);
          Tensor weight1 =
              channel ? random(scope, 3, INNER, 24) : random(scope, 3, 2, INNER, INNER);
          Tensor weight2 = channel ? random(scope, 4, 24, INNER) : null;
          all.run(channel, weight1, weight2, 1);
          for (int n = 0; n < images; n++) {
            apart.slice(n, n + 1).run(channel, weight1, weight2, 1);
          }
          assertArrayEquals(all.out.toFloatArray(), apart.out.toFloatArray());
          assertArrayEquals(all.dx.toFloatArray(), apart.dx.toFloatArray());
        }
      }
    }
  }

  @Test
  void emptyBatchesHaveGradientsOfZero() {
    try (Scope scope = Scope.open()) {
      Tensor x = scope.allocate(DType.FLOAT32, 0, 5, 3, 3);
      Tensor weight = random(scope, 1, 2, 3, 3);
      Tensor dweight = random(scope, 2, 2, 3, 3);
      Tensor dbias = random(scope, 3, 1);
      SpatialCall call = SpatialAttention.create().call(x, weight).bias(random(scope, 4, 1));
      Tensor out = call.forward(scope);
      assertEquals(0, out.elements());
      call.gradients(out).dweight(dweight).dbias(dbias).backward(scope);
      assertArrayEquals(new float[18], dweight.toFloatArray());
      assertArrayEquals(new float[1], dbias.toFloatArray());
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 8, 5, 5);
      Tensor weight1 = random(scope, 2, 3, 8);
      Tensor weight2 = random(scope, 3, 8, 3);
      ChannelAttention channel = ChannelAttention.create();
      SpatialAttention spatial = SpatialAttention.create();
      refused(
          "weight2 has shape [3, 8], expected [C, R] = [8, 3]",
          () -> channel.forward(scope, x, weight1, weight1));
      refused(
          "x has shape [2, 8, 25], expected [N, C, H, W]",
          () -> channel.forward(scope, x.reshape(2, 8, 25), weight1, weight2));
      refused(
          "bias1 has shape [8], expected [R] = [3]",
          () -> channel.call(x, weight1, weight2).bias1(random(scope, 4, 8)).forward(scope));
      refused(
          "kernelSize is 4, expected an odd number",
          () -> spatial.forward(scope, x, random(scope, 5, 2, 4, 4)));
      refused(
          "maps is 3, expected 2 to 2", () -> spatial.forward(scope, x, random(scope, 5, 3, 3, 3)));
      refused(
          "kernelSize is 33, expected 1 to 31",
          () -> spatial.forward(scope, x, random(scope, 5, 2, 33, 33)));
      refused(
          "bias has shape [2], expected [1]",
          () ->
              spatial.call(x, random(scope, 5, 2, 3, 3)).bias(random(scope, 6, 2)).forward(scope));
      refused(
          "out shares memory with x",
          () -> spatial.call(x, random(scope, 5, 2, 3, 3)).out(x).run());
      refused("outDType is INT32, expected a floating type", () -> channel.outDType(DType.INT32));
      assertThrows(IllegalStateException.class, () -> channel.call(x, weight1, weight2).run());
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  /** The backward pass needs no forward run, and makes the dx that nothing is bound for. */
  @Test
  void gradientsNeedNoForward() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 8, 5, 5);
      ChannelCall call =
          ChannelAttention.create().call(x, random(scope, 2, 3, 8), random(scope, 3, 8, 3));
      Tensor dx = call.gradients(random(scope, 4, 2, 8, 5, 5)).backward(scope);
      assertArrayEquals(x.shape(), dx.shape());
      assertEquals(DType.FLOAT32, dx.dtype());
      String backward = call.gradients(dx).toString();
      assertTrue(call.toString().startsWith("ChannelCall[ChannelAttention[], x "), call.toString());
      assertTrue(backward.startsWith("ChannelBackward[dout "), backward);
    }
  }
}

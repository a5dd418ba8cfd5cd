package dev.fovea.testkit.norm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Normalization;
import dev.fovea.NormalizationCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.norm.CaseBuilder.Sharing;
import dev.fovea.testkit.norm.NormCase.Content;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What holds beyond one case: every width of a row, bits, rows far from 0; refusals. */
class NormConformanceTest {

  /** Around what vectors, warps and blocks have, and what threads hold. */
  private static final int[] WIDTHS = {
    1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 72, 127, 128, 129, 255, 256, 264, 512,
    520, 1024, 1032, 2047, 2048, 2049, 2056, 4096, 4104, 8192, 8200
  };

  /** Elements before rows and between them, of which vectors of some types and widths begin. */
  private static final int[] APART = {0, 1, 2, 4, 8};

  private static final List<String> ROWS = List.of("x", "dout", "out", "dx");

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  private static List<Normalization> both() {
    return List.of(Normalization.layer(1e-5), Normalization.rms(1e-6));
  }

  /** Rows that begin where vectors are aligned or not; types that differ. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int width : WIDTHS) {
      for (DType type : TestDevice.TYPES) {
        CaseBuilder c =
            new CaseBuilder()
                .dtype(type)
                .outDType(seed % 4 == 0 ? DType.FLOAT32 : type)
                .sizes(1, width > 3000 ? 2 : 5, 1, width)
                .content(Content.NORMAL, ++seed)
                .guard(seed % 2 == 0 ? Side.BEGIN : Side.END)
                .moments();
        int apart = APART[seed % APART.length];
        for (String rows : ROWS) {
          c.style(rows, Style.gaps(Order.DENSE, apart, 0, 0, 0, apart));
        }
        if (seed % 2 == 0) {
          c.rms();
        }
        failed.check(c.build());
        failed.check(c.backward(seed % 5 == 0 ? DType.BFLOAT16 : type).build());
      }
    }
    failed.orPass();
  }

  /**
   * Rows a multiple of 16 bytes apart that begin anywhere, for each operand alone; and weights that
   * do.
   */
  @OnEveryGroup
  void rowsApartByWholePackets(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (DType type : TestDevice.TYPES) {
      for (int gap : new int[] {0, 8, 4}) {
        for (int offset : new int[] {0, 1, 2, 4}) {
          for (String rows : List.of("x", "dout", "out", "dx", "weight", "bias")) {
            CaseBuilder c =
                new CaseBuilder()
                    .dtype(type)
                    .sizes(2, 3, 2, 24)
                    .sharing(Sharing.EACH, Sharing.ONE)
                    .content(Content.NORMAL, ++seed)
                    .accumulate(seed % 3 == 0, seed % 2 == 0);
            for (String any : ROWS) {
              c.style(any, Style.gaps(Order.DENSE, any.equals(rows) ? offset : 0, 0, 0, 0, gap));
            }
            for (String any : List.of("weight", "bias", "dweight", "dbias")) {
              int before = any.endsWith(rows) ? offset : 0;
              c.style(any, new MatrixStyle(false, before, gap, 0, false));
            }
            c.backward(rows.equals("out") || rows.equals("bias") ? null : type);
            failed.check(c.build());
          }
        }
      }
    }
    failed.orPass();
  }

  /** Parts of the rows, fewer rows than a part has, and more; heads that share and that do not. */
  @OnEveryGroup
  void sumsOverRows(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int length : new int[] {1, 3, 15, 16, 17, 64, 257, 1025, 4100}) {
      for (Sharing weight : Sharing.values()) {
        for (int heads : new int[] {1, 3, 20}) {
          int width = length > 300 ? 4 : 24;
          if (length * heads * width > on.size(150_000, 40_000)) {
            continue;
          }
          CaseBuilder c =
              new CaseBuilder()
                  .sizes(2, length, heads, width)
                  .sharing(weight, Sharing.values()[seed % 3])
                  .content(Content.NORMAL, ++seed)
                  .parallelism(1 + seed % 3)
                  .gradients(seed % 7 > 0, seed % 5 > 0)
                  .accumulate(false, seed % 2 == 0)
                  .backward(DType.FLOAT32);
          if (seed % 4 == 0) {
            for (String rows : ROWS) {
              c.style(rows, Style.ordered(Order.SWAPPED));
            }
          }
          failed.check(c.build());
        }
      }
    }
    failed.orPass();
  }

  /** Moments are of differences: a row 2^20 from 0 comes out as the same one near 0. */
  @OnEveryDevice
  void rowsFarFromZeroKeepTheirDigits(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (int width : new int[] {5, 64, 333, 1024}) {
        float[] near = new float[2 * width];
        float[] far = near.clone();
        Gaussian random = new Gaussian(width);
        for (int i = 0; i < near.length; i++) {
          near[i] = random.between(-32, 32) / 8f;
          far[i] = near[i] + (i < width ? 0x1p20f : -0x1p20f);
        }
        Tensor dout = random(scope, 1, 1, 2, 1, width);
        Normalization layer = Normalization.layer(1e-5);
        NormalizationCall one = layer.call(scope.copyOf(near, 1, 2, 1, width));
        NormalizationCall other = layer.call(scope.copyOf(far, 1, 2, 1, width));
        float[] expected = one.forward(scope).toFloatArray();
        assertArrayEquals(expected, other.forward(scope).toFloatArray(), 4e-6f);
        float[] dx = one.gradients(dout).backward(scope).toFloatArray();
        assertArrayEquals(dx, other.gradients(dout).backward(scope).toFloatArray(), 1e-5f);
      }
    }
  }

  /** A row has the same bits alone, in a batch, and whatever threads share that. */
  @OnEveryDevice
  void bitsOfARow(TestDevice on) {
    int length = on.size(700, 40);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 3, length, 2, 40);
      Tensor dout = random(scope, 2, 3, length, 2, 40);
      Tensor weight = random(scope, 3, 2, 40);
      for (Normalization normalization : both()) {
        NormalizationCall all = normalization.call(x).weight(weight).parallelism(3);
        Tensor out = all.forward(scope);
        Tensor dx = all.gradients(dout).backward(scope);
        for (int row : new int[] {0, 1, length - 1}) {
          Tensor one = x.slice(0, 1, 2).slice(1, row, row + 1);
          Tensor gradient = dout.slice(0, 1, 2).slice(1, row, row + 1);
          NormalizationCall alone = normalization.call(one).weight(weight).parallelism(1);
          assertArrayEquals(
              out.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.forward(scope).toFloatArray());
          assertArrayEquals(
              dx.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.gradients(gradient).backward(scope).toFloatArray());
        }
      }
    }
  }

  /** Gradients of weights have the same bits on every run, of any number of threads. */
  @OnEveryDevice
  void bitsOfSums(TestDevice on) {
    int length = on.size(3000, 90);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 2, length, 1, 24);
      Tensor dout = random(scope, 2, 2, length, 1, 24);
      float[][] before = new float[2][];
      for (int threads : new int[] {1, 2, 5}) {
        Tensor dweight = scope.allocate(DType.FLOAT32, 24);
        Tensor dbias = scope.allocate(DType.FLOAT32, 24);
        NormalizationCall call = Normalization.layer(1e-5).call(x).parallelism(threads);
        call.weight(random(scope, 3, 24)).bias(random(scope, 4, 24));
        call.gradients(dout).dweight(dweight).dbias(dbias).backward(scope);
        float[][] sums = {dweight.toFloatArray(), dbias.toFloatArray()};
        for (int i = 0; i < 2 && threads > 1; i++) {
          assertArrayEquals(before[i], sums[i]);
        }
        before = sums;
      }
    }
  }

  /** What is large may go past the caches, in whole lines: of 32 MiB and more. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void bitsDoNotDependOnTheSize(DType type) {
    int length = type == DType.FLOAT32 ? 3000 : 6000;
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 1, length, 3, 1024).to(scope, type);
      Tensor weight = random(scope, 2, 3, 1024);
      for (Normalization normalization : both()) {
        NormalizationCall all = normalization.call(x).weight(weight).parallelism(2);
        Tensor out = all.forward(scope);
        Tensor back = all.gradients(out).backward(scope);
        NormalizationCall one = normalization.call(x.slice(1, 100, 300)).weight(weight);
        Tensor part = out.slice(1, 100, 300);
        assertArrayEquals(one.forward(scope).toFloatArray(), part.toFloatArray());
        assertArrayEquals(
            one.gradients(part).backward(scope).toFloatArray(),
            back.slice(1, 100, 300).toFloatArray());
      }
    }
  }

  @OnEveryDevice
  void aNaNStaysInItsRow(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (int width : new int[] {3, 24, 600}) {
        for (Normalization normalization : both()) {
          Tensor x = random(scope, 1, 1, 5, 1, width);
          Tensor dout = random(scope, 2, 1, 5, 1, width);
          float[] out = normalization.call(x).forward(scope).toFloatArray();
          float[] dx = normalization.call(x).gradients(dout).backward(scope).toFloatArray();
          Tensor bad = random(scope, 1, 1, 5, 1, width);
          float[] values = bad.toFloatArray();
          values[2 * width + 1] = Float.NaN;
          bad.copyFrom(values);
          float[] badOut = normalization.call(bad).forward(scope).toFloatArray();
          float[] badDx = normalization.call(bad).gradients(dout).backward(scope).toFloatArray();
          for (int i = 0; i < out.length; i++) {
            boolean there = i / width == 2;
            assertEquals(there ? Float.NaN : out[i], badOut[i]);
            assertEquals(there ? Float.NaN : dx[i], badDx[i]);
          }
        }
      }
    }
  }

  /** 0 times what an epsilon makes of it: a bias is left; without one there is no number. */
  @OnEveryDevice
  void rowsOfEqualElements(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (float element : new float[] {0.1f, -3e7f, 1e-3f, 0, 1e-42f, 1e18f}) {
        for (int width : new int[] {1, 7, 24, 600}) {
          Tensor x = scope.allocate(DType.FLOAT32, 1, 2, 1, width).fill(element);
          Tensor bias = random(scope, width, width);
          float[] shifted = Normalization.layer(1e-5).forward(scope, x, null, bias).toFloatArray();
          for (int i = 0; i < shifted.length; i++) {
            assertEquals(bias.toFloatArray()[i % width], shifted[i]);
          }
          for (float none : Normalization.layer(0).forward(scope, x, null, bias).toFloatArray()) {
            assertTrue(Float.isNaN(none));
          }
        }
      }
    }
  }

  /** Queries and keys in the memory of a projection, and dx on top of what is there. */
  @OnEveryDevice
  void headsOfOneMemory(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor qkv = random(scope, 1, 2, 9, 3, 4, 16);
      Tensor dense = scope.allocate(DType.FLOAT32, 2, 9, 4, 16);
      Tensor dout = random(scope, 2, 2, 9, 4, 16);
      Tensor weight = random(scope, 3, 4, 16);
      for (int part = 0; part < 2; part++) {
        dense.copyFrom(qkv.select(2, part));
        for (Normalization normalization : both()) {
          NormalizationCall call = normalization.call(dense).weight(weight);
          float[] dx = call.gradients(dout).backward(scope).toFloatArray();
          NormalizationCall strided = normalization.call(qkv.select(2, part)).weight(weight);
          assertArrayEquals(
              call.forward(scope).toFloatArray(), strided.forward(scope).toFloatArray());
          Tensor dqkv = scope.allocate(DType.FLOAT32, 2, 9, 3, 4, 16).fill(2);
          strided.gradients(dout).dx(dqkv.select(2, part)).accumulateDx(true).run();
          float[] added = dqkv.select(2, part).toFloatArray();
          for (int i = 0; i < dx.length; i++) {
            assertEquals(2 + dx[i], added[i]);
          }
          assertEquals(2, dqkv.select(2, 2).toFloatArray()[5]);
        }
      }
    }
  }

  /** A view whose first dimensions step over more than 2^31 elements. */
  private static Tensor spread(List<GuardedMemory> mapped, Tensor dense, int dim) {
    long[] shape = dense.shape();
    long[] strides = dense.strides();
    strides[dim] = (1L << 31) + 8;
    long last = 0;
    for (int i = 0; i < shape.length; i++) {
      last += (shape[i] - 1) * strides[i];
    }
    GuardedMemory memory = GuardedMemory.sparse((last + 1) * dense.dtype().byteSize());
    mapped.add(memory);
    return Tensor.of(memory.segment(), dense.dtype(), shape, strides)
        .copyFrom(dense)
        .on(dense.device());
  }

  @OnEveryDevice
  void hugeStrides(TestDevice on) {
    for (int dim = 0; dim < 3; dim++) {
      List<GuardedMemory> mapped = new ArrayList<>();
      try (Scope scope = Scope.open()) {
        Tensor x = random(scope, 1, 2, 3, 2, 16).on(on.device());
        Tensor dout = random(scope, 2, 2, 3, 2, 16).on(on.device());
        Tensor zeros = scope.allocate(DType.FLOAT32, 2, 3, 2, 16).on(on.device());
        for (Normalization normalization : both()) {
          NormalizationCall dense = normalization.call(x);
          NormalizationCall far = normalization.call(spread(mapped, x, dim));
          Tensor out = spread(mapped, zeros, dim);
          far.out(out).run();
          Tensor expected = scope.allocate(DType.FLOAT32, 2, 3, 2, 16).on(on.device());
          dense.out(expected).run();
          assertArrayEquals(expected.toFloatArray(), out.toFloatArray());
          Tensor dx = spread(mapped, zeros, dim);
          far.gradients(spread(mapped, dout, dim)).dx(dx).run();
          dense.gradients(dout).dx(expected).run();
          assertArrayEquals(expected.toFloatArray(), dx.toFloatArray());
        }
      } finally {
        mapped.forEach(GuardedMemory::close);
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (Normalization normalization : both()) {
        for (long[] shape : new long[][] {{0, 6, 2, 8}, {2, 0, 2, 8}}) {
          Tensor dweight = scope.allocate(DType.FLOAT32, 2, 8).fill(7);
          Tensor dbias = scope.allocate(DType.FLOAT32, 8).fill(7);
          NormalizationCall none =
              normalization
                  .call(scope.allocate(DType.FLOAT32, shape))
                  .weight(random(scope, 1, 2, 8))
                  .bias(random(scope, 2, 8));
          Tensor out = none.forward(scope);
          assertArrayEquals(shape, out.shape());
          none.gradients(out).dweight(dweight).dbias(dbias).backward(scope);
          assertArrayEquals(new float[16], dweight.toFloatArray());
          assertArrayEquals(new float[8], dbias.toFloatArray());
        }
      }
    }
  }

  @Test
  void whatIsWrittenSharesNothing() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 6, 2, 8);
      Tensor dout = random(scope, 2, 2, 6, 2, 8);
      Tensor weight = random(scope, 3, 2, 8);
      NormalizationCall call = Normalization.layer(1e-5).call(x).weight(weight);
      refused("out shares memory with x", () -> call.out(x).run());
      refused("dx shares memory with dout", () -> call.gradients(dout).dx(dout).run());
      refused("dx shares memory with x", () -> call.gradients(dout).dx(x).run());
      refused(
          "dweight shares memory with weight",
          () -> call.gradients(dout).dweight(weight).backward(scope));
      Tensor moments = scope.allocate(DType.FLOAT32, 2, 6, 2);
      refused(
          "mean shares memory with inverse",
          () -> call.mean(moments).inverse(moments).forward(scope));
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 6, 3, 10);
      Normalization layer = Normalization.layer(1e-5);
      refused(
          "weight has shape [2, 10], expected [H or 1, D] = [3, 10]",
          () -> layer.forward(scope, x, random(scope, 2, 2, 10), null));
      refused(
          "bias has shape [1, 9], expected [H or 1, D] = [3, 10]",
          () -> layer.forward(scope, x, null, random(scope, 2, 9)));
      refused(
          "weight is BFLOAT16, expected FLOAT32",
          () -> layer.forward(scope, x, scope.allocate(DType.BFLOAT16, 10), null));
      Tensor moments = scope.allocate(DType.FLOAT32, 2, 6, 3);
      refused(
          "mean is wanted, but what is not centered has none",
          () -> Normalization.rms(0).call(x).mean(moments).forward(scope));
      refused(
          "mean has shape [2, 6], expected [B, S, H] = [2, 6, 3]",
          () -> layer.call(x).mean(moments.select(2, 0)).forward(scope));
      refused(
          "dbias is set, but the call has no bias",
          () -> layer.call(x).gradients(x).dbias(random(scope, 3, 10)).backward(scope));
      refused(
          "width is 65537, expected 1 to 65536",
          () -> layer.forward(scope, scope.allocate(DType.FLOAT32, 1, 1, 1, 65537), null, null));
      refused("epsilon is -1.0, expected a finite float of 0 or more", () -> Normalization.rms(-1));
      refused("outDType is INT32, expected a floating type", () -> layer.outDType(DType.INT32));
      assertThrows(IllegalStateException.class, () -> layer.call(x).run());
      assertFalse(layer.equals(Normalization.rms(1e-5)));
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }
}

package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionGradients;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.util.ArrayList;
import java.util.List;

/**
 * Operands beyond 2^31 elements and 2^33 bytes, in address space that has no memory behind it but
 * where it is touched.
 */
class HugeConformanceTest {

  private static final long STEP = (1L << 31) + 5;

  /** A view whose first dimension steps over more than 2^31 elements. */
  private static Tensor spread(List<GuardedMemory> mapped, Tensor dense, int dim) {
    long[] shape = dense.shape();
    long[] strides = dense.strides();
    strides[dim] = STEP;
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

  private static Tensor normal(Scope scope, Device device, long seed, DType type, long... shape) {
    Tensor tensor = scope.allocate(type, shape);
    Gaussian random = new Gaussian(seed);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values).on(device);
  }

  @OnEveryDevice
  void strides(TestDevice on) {
    Device device = on.device();
    for (int dim = 0; dim < 3; dim++) {
      List<GuardedMemory> mapped = new ArrayList<>();
      try (Scope scope = Scope.open()) {
        Tensor q = normal(scope, device, 1, DType.FLOAT32, 2, 3, 2, 16);
        Tensor k = normal(scope, device, 2, DType.FLOAT32, 2, 4, 2, 16);
        Tensor v = normal(scope, device, 3, DType.FLOAT32, 2, 4, 2, 16);
        Tensor bias = normal(scope, device, 4, DType.FLOAT32, 2, 2, 3, 4);
        Tensor out = normal(scope, device, 5, DType.FLOAT32, 2, 3, 2, 16);
        Tensor lse = normal(scope, device, 6, DType.FLOAT32, 2, 2, 3);
        Tensor weights = normal(scope, device, 7, DType.FLOAT32, 2, 2, 3, 4);
        Attention attention = Attention.builder().causal().build();
        AttentionCall call = attention.call(q, k, v).bias(bias).out(out).lse(lse).weights(weights);
        call.run();
        float[] expected = out.toFloatArray();
        Tensor farOut = spread(mapped, out, dim);
        Tensor farLse = spread(mapped, lse, Math.min(dim, 1));
        Tensor farWeights = spread(mapped, weights, dim);
        farOut.fill(-1);
        attention
            .call(spread(mapped, q, dim), spread(mapped, k, dim), spread(mapped, v, dim))
            .bias(spread(mapped, bias, dim))
            .out(farOut)
            .lse(farLse.fill(-1))
            .weights(farWeights.fill(-1))
            .run();
        assertArrayEquals(expected, farOut.toFloatArray(), "dimension " + dim);
        assertArrayEquals(lse.toFloatArray(), farLse.toFloatArray(), "lse, dimension " + dim);
        assertArrayEquals(
            weights.toFloatArray(), farWeights.toFloatArray(), "weights, dimension " + dim);
      } finally {
        mapped.forEach(GuardedMemory::close);
      }
    }
  }

  @OnEveryDevice
  void stridesOfGradients(TestDevice on) {
    Device device = on.device();
    Attention attention = Attention.builder().causal().build();
    for (int dim = 0; dim < 3; dim++) {
      List<GuardedMemory> mapped = new ArrayList<>();
      try (Scope scope = Scope.open()) {
        Tensor q = normal(scope, device, 1, DType.FLOAT32, 2, 3, 2, 16);
        Tensor k = normal(scope, device, 2, DType.FLOAT32, 2, 4, 2, 16);
        Tensor v = normal(scope, device, 3, DType.FLOAT32, 2, 4, 2, 16);
        Tensor bias = normal(scope, device, 4, DType.FLOAT32, 2, 2, 3, 4);
        Tensor dout = normal(scope, device, 5, DType.FLOAT32, 2, 3, 2, 16);
        Tensor lse = normal(scope, device, 6, DType.FLOAT32, 2, 2, 3);
        AttentionCall call = attention.call(q, k, v).bias(bias).lse(lse);
        Tensor out = call.forward(scope);
        Tensor dbias = normal(scope, device, 7, DType.FLOAT32, 2, 2, 3, 4);
        AttentionBackward near = call.gradients(dout).dbias(dbias).deterministic(true);
        AttentionGradients expected = near.backward(scope);
        Tensor dquery = spread(mapped, q, dim).fill(-1);
        Tensor dkey = spread(mapped, k, dim).fill(-1);
        Tensor dvalue = spread(mapped, v, dim).fill(-1);
        Tensor farBias = spread(mapped, bias, dim).fill(-1);
        attention
            .call(spread(mapped, q, dim), spread(mapped, k, dim), spread(mapped, v, dim))
            .bias(spread(mapped, bias, dim))
            .gradients(
                spread(mapped, dout, dim),
                spread(mapped, out, dim),
                spread(mapped, lse, Math.min(dim, 1)))
            .dquery(dquery)
            .dkey(dkey)
            .dvalue(dvalue)
            .dbias(farBias)
            .deterministic(true)
            .run();
        String what = "dimension " + dim;
        assertArrayEquals(expected.query().toFloatArray(), dquery.toFloatArray(), what);
        assertArrayEquals(expected.key().toFloatArray(), dkey.toFloatArray(), what);
        assertArrayEquals(expected.value().toFloatArray(), dvalue.toFloatArray(), what);
        assertArrayEquals(dbias.toFloatArray(), farBias.toFloatArray(), what);
      } finally {
        mapped.forEach(GuardedMemory::close);
      }
    }
  }

  /**
   * More than 2^31 elements in key and value; nearly all of it is padding, which nobody reads. All
   * of it for more rows than those whose keys are cut into parts, which would be a hundred thousand
   * blocks; and the first keys of each sequence, as far apart, for two rows.
   */
  @OnEveryDevice
  void elements(TestDevice on) {
    Device device = on.device();
    long rows = 1L << 17;
    long heads = 128;
    long width = 64;
    int batch = 3;
    assertTrue(batch * rows * heads * width > 1L << 31);
    List<GuardedMemory> mapped = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      Tensor[] far = new Tensor[2];
      for (int n = 0; n < 2; n++) {
        GuardedMemory memory = GuardedMemory.sparse(batch * rows * heads * width * 2);
        mapped.add(memory);
        far[n] = Tensor.of(memory.segment(), DType.BFLOAT16, batch, rows, heads, width).on(device);
      }
      Tensor query = normal(scope, device, 8, DType.BFLOAT16, batch, 17, heads, width);
      Tensor small = normal(scope, device, 9, DType.BFLOAT16, 1, 3, heads, width);
      for (Tensor tensor : far) {
        tensor.slice(0, 2, 3).slice(1, 0, 3).copyFrom(small);
      }
      float[] expected =
          Attention.create().forward(scope, query.slice(0, 2, 3), small, small).toFloatArray();
      Tensor out = normal(scope, device, 10, DType.BFLOAT16, batch, 17, heads, width);
      Tensor lengths = scope.copyOf(new int[] {0, 0, 3}, 3).on(device);
      Attention.create().call(query, far[0], far[1]).keyLengths(lengths).out(out).run();
      assertElements(expected, out);
      Tensor few = query.slice(1, 0, 2);
      expected = Attention.create().forward(scope, few.slice(0, 2, 3), small, small).toFloatArray();
      out = normal(scope, device, 11, DType.BFLOAT16, batch, 2, heads, width);
      Attention.create()
          .call(few, far[0].slice(1, 0, 1024), far[1].slice(1, 0, 1024))
          .keyLengths(lengths)
          .out(out)
          .run();
      assertElements(expected, out);
    } finally {
      mapped.forEach(GuardedMemory::close);
    }
  }

  private static void assertElements(float[] expected, Tensor out) {
    assertArrayEquals(expected, out.slice(0, 2, 3).toFloatArray());
    for (float value : out.slice(0, 0, 2).toFloatArray()) {
      assertEquals(0, value, "a sequence of length 0");
    }
  }
}

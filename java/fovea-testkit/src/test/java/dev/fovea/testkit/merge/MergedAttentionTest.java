package dev.fovea.testkit.merge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Merge;
import dev.fovea.MergeCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;

/** Attention over all keys is the merge of attention over parts of them. */
class MergedAttentionTest {

  private static final float ROOM = 4e-6f; // of numbers of about 1, by two ways in float32

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  /** Of B 2, Sq 7, Hq 4 over Hk 2, D 16, Dv 24; some rows see no key of some parts, or of any. */
  private static final class Problem {
    final Scope scope;
    final Tensor query;
    final Tensor key;
    final Tensor value;
    final Tensor sinks;
    final Tensor mask;

    Problem(Scope scope, int keys, boolean hasSinks) {
      this.scope = scope;
      query = random(scope, 1, 2, 7, 4, 16);
      key = random(scope, 2, 2, keys, 2, 16);
      value = random(scope, 3, 2, keys, 2, 24);
      sinks = hasSinks ? random(scope, 4, 4) : null;
      Gaussian random = new Gaussian(5);
      boolean[] seen = new boolean[2 * 7 * keys];
      for (int i = 0; i < seen.length; i++) {
        int row = i / keys;
        int column = i % keys;
        seen[i] = row != 3 && column <= 2 * (row % 7) + 1 && random.chance(0.8);
      }
      mask = scope.allocate(DType.BOOL, 2, 1, 7, keys).copyFrom(seen);
    }

    AttentionCall call(int from, int to) {
      return Attention.builder()
          .build()
          .call(query, key.slice(1, from, to), value.slice(1, from, to))
          .mask(mask.slice(3, from, to));
    }
  }

  @OnEveryDevice
  void overPartsOfTheKeys(TestDevice on) {
    int[][] cuts = {{0, 15}, {0, 8, 15}, {0, 1, 2, 9, 15}};
    for (boolean hasSinks : new boolean[] {false, true}) {
      try (Scope scope = Scope.open(on.device())) {
        Problem it = new Problem(scope, 15, hasSinks);
        Tensor expectedLse = scope.allocate(DType.FLOAT32, 2, 4, 7);
        Tensor expected = it.call(0, 15).sinks(it.sinks).lse(expectedLse).forward(scope);
        for (int[] cut : cuts) {
          int parts = cut.length - 1;
          Tensor outs = scope.allocate(DType.FLOAT32, parts, 2, 7, 4, 24);
          Tensor lses = scope.allocate(DType.FLOAT32, parts, 2, 4, 7);
          for (int p = 0; p < parts; p++) {
            it.call(cut[p], cut[p + 1]).out(outs.select(0, p)).lse(lses.select(0, p)).run();
          }
          Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 7);
          MergeCall merge = Merge.create().call(outs, lses).sinks(it.sinks).lse(lse);
          assertArrayEquals(expected.toFloatArray(), merge.forward(scope).toFloatArray(), ROOM);
          assertArrayEquals(expectedLse.toFloatArray(), lse.toFloatArray(), ROOM);
          boolean empty = lse.getFloat(0, 0, 3) == Float.NEGATIVE_INFINITY;
          assertEquals(!hasSinks, empty, "a row that sees nothing");
        }
      }
    }
  }

  /** Merges of merges: parts of two levels, as of devices with pieces each. */
  @OnEveryDevice
  void mergesAreMergedAlike(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor outs = random(scope, 1, 5, 1, 9, 2, 32);
      Tensor lses = random(scope, 2, 5, 1, 2, 9);
      Tensor sinks = random(scope, 3, 2);
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 2, 9);
      Tensor expected = Merge.create().call(outs, lses).sinks(sinks).lse(lse).forward(scope);
      Tensor both = scope.allocate(DType.FLOAT32, 2, 1, 9, 2, 32);
      Tensor bothLses = scope.allocate(DType.FLOAT32, 2, 1, 2, 9);
      for (int half = 0; half < 2; half++) {
        Merge.create()
            .call(outs.slice(0, 3 * half, 3 + 2 * half), lses.slice(0, 3 * half, 3 + 2 * half))
            .out(both.select(0, half))
            .lse(bothLses.select(0, half))
            .run();
      }
      Tensor again = scope.allocate(DType.FLOAT32, 1, 2, 9);
      Tensor out = Merge.create().call(both, bothLses).sinks(sinks).lse(again).forward(scope);
      assertArrayEquals(expected.toFloatArray(), out.toFloatArray(), ROOM);
      assertArrayEquals(lse.toFloatArray(), again.toFloatArray(), ROOM);
    }
  }

  /** In 16 bits each part is rounded once more, and nothing else happens. */
  @OnEveryDevice
  void narrowParts(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Problem it = new Problem(scope, 15, false);
      Tensor expected = it.call(0, 15).forward(scope);
      Tensor outs = scope.allocate(DType.FLOAT32, 2, 2, 7, 4, 24);
      Tensor lses = scope.allocate(DType.FLOAT32, 2, 2, 4, 7);
      it.call(0, 8).out(outs.select(0, 0)).lse(lses.select(0, 0)).run();
      it.call(8, 15).out(outs.select(0, 1)).lse(lses.select(0, 1)).run();
      for (DType type : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
        Tensor out = Merge.create().forward(scope, outs.to(scope, type), lses);
        float unit = type == DType.FLOAT16 ? 0x1p-11f : 0x1p-8f;
        assertArrayEquals(expected.toFloatArray(), out.toFloatArray(), 2 * 4 * unit);
      }
    }
  }
}

package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;
import java.util.Random;

/** Packed queries over pages: bits of a sequence are the same alone and beside others. */
class NeighbourConformanceTest {
  private static final int DIM = 32;
  private static final int PAGE = 16;
  private static final int COLUMNS = 8;
  private static final int LONGEST_QUERY = 40;

  /** A sequence of a batch, whose numbers follow from its lengths. */
  private record Lengths(int queries, int keys) {}

  private static float[] numbers(int count, Lengths of, int which) {
    Random random = new Random(of.queries * 1000L + of.keys * 10L + which);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** What comes out for the first of them. */
  private static float[] first(Device device, DType type, int group, Lengths... all) {
    int heads = 2 * group;
    int[] offsets = new int[all.length + 1];
    int[] keys = new int[all.length];
    for (int b = 0; b < all.length; b++) {
      offsets[b + 1] = offsets[b] + all[b].queries;
      keys[b] = all[b].keys;
    }
    try (Scope scope = Scope.open(device)) {
      int rows = COLUMNS * PAGE;
      Tensor query = scope.allocate(type, offsets[all.length], heads, DIM);
      Tensor key = scope.allocate(type, all.length, rows, 2, DIM);
      Tensor value = scope.allocate(type, all.length, rows, 2, DIM);
      for (int b = 0; b < all.length; b++) {
        query
            .slice(0, offsets[b], offsets[b + 1])
            .copyFrom(numbers(all[b].queries * heads * DIM, all[b], 0));
        key.select(0, b).copyFrom(numbers(rows * 2 * DIM, all[b], 1));
        value.select(0, b).copyFrom(numbers(rows * 2 * DIM, all[b], 2));
      }
      int[] table = new int[all.length * COLUMNS];
      Arrays.setAll(table, i -> i);
      Tensor out = scope.allocate(type, offsets[all.length], heads, DIM);
      AttentionCall call =
          Attention.builder()
              .causal()
              .build()
              .call(
                  query,
                  key.reshape(table.length, PAGE, 2, DIM),
                  value.reshape(table.length, PAGE, 2, DIM));
      call.pages(scope.copyOf(table, all.length, COLUMNS), rows)
          .keyLengths(scope.copyOf(keys, all.length))
          .cuSeqlens(scope.copyOf(offsets, all.length + 1), LONGEST_QUERY)
          .out(out)
          .run();
      return out.slice(0, 0, all[0].queries).toFloatArray();
    }
  }

  @OnEveryDevice
  void aSequenceIsTheSameAlone(TestDevice on) {
    Device device = on.device();
    for (DType type : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
      for (int group : new int[] {1, 4}) {
        for (int queries : new int[] {1, 3, 20}) {
          Lengths it = new Lengths(queries, 100);
          float[] alone = first(device, type, group, it);
          String which = type + ", groups of " + group + ", " + queries + " queries";
          assertArrayEquals(alone, first(device, type, group, it, new Lengths(1, 90)), which);
          Lengths prompt = new Lengths(LONGEST_QUERY, 90);
          assertArrayEquals(
              alone, first(device, type, group, it, prompt, new Lengths(5, 128)), which);
        }
      }
    }
  }
}

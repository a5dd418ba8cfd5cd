package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.AttentionShape;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;

/** What a packed batch says of its lengths: what is refused, and what the rest costs. */
class PackedBoundsConformanceTest {
  private static final long MOST = Integer.MAX_VALUE;
  private static final float BEFORE = 777;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor ints(int... values) {
    return scope.copyOf(values, values.length);
  }

  private Tensor normal(int seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(seed);
    float[] drawn = new float[(int) tensor.elements()];
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = random.nextNormal();
    }
    return tensor.copyFrom(drawn);
  }

  private Tensor filled(long... shape) {
    return scope.allocate(DType.FLOAT32, shape).fill(BEFORE);
  }

  private static void assertUntouched(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      for (float value : tensor.toFloatArray()) {
        assertEquals(BEFORE, value);
      }
    }
  }

  /** (batch, longest query, longest key, rows of query, rows of key) that cannot all be had. */
  private static final long[][] OUT_OF_REACH = {
    {2, 0, 2, 4, 4},
    {2, 2, 0, 4, 4},
    {2, 0, 0, 4, 4},
    {0, 2, 2, 4, 4},
    {0, 2, 2, 4, 0},
    {0, 2, 2, 0, 4},
    {2, 1, 2, 4, 4},
    {2, 2, 1, 4, 4},
    {2, 2, 2, 5, 4},
    {2, 2, 2, 4, 5},
    {1, MOST - 1, 1, MOST, 1},
  };

  @OnEveryDevice
  void moreRowsThanTheSequencesCanHaveAreRefused(TestDevice on) {
    Device device = on.device();
    Attention attention = Attention.create();
    for (long[] n : OUT_OF_REACH) {
      var builder =
          AttentionShape.packed(DType.FLOAT32, n[0], n[1], n[2], n[3], n[4], 1, 1, 8).lse();
      AttentionShape shape = builder.build();
      AttentionShape backward = builder.backward().build();
      boolean query = n[3] > n[0] * n[1];
      String expected =
          "%s is %d, but %d sequences of at most %s = %d have fewer rows"
              .formatted(
                  query ? "queryTotal" : "keyTotal",
                  query ? n[3] : n[4],
                  n[0],
                  query ? "queryLength" : "keyLength",
                  query ? n[1] : n[2]);
      String why = Arrays.toString(n);
      assertEquals(
          expected,
          assertThrows(IllegalArgumentException.class, () -> attention.plan(device, shape), why)
              .getMessage());
      assertThrows(IllegalArgumentException.class, () -> attention.plan(device, backward), why);
    }
  }

  /** Offsets are not looked at; out and lse stay as they were. */
  @OnEveryDevice
  void aRunOfMoreRowsThanTheSequencesCanHaveIsRefused(TestDevice on) {
    Device device = on.device();
    Tensor q = normal(1, 4, 1, 8).on(device);
    Tensor out = filled(4, 1, 8).on(device);
    Tensor lse = filled(1, 4).on(device);
    int[][] offsets = {{0, 2, 4}, {0}, {99, -5, 1000}};
    for (int[] cu : offsets) {
      long reached = cu.length == 1 ? 9 : 0;
      for (long longest : new long[] {0, 1, reached}) {
        AttentionCall call = Attention.create().call(q, q, q).out(out).lse(lse);
        call.cuSeqlens(ints(cu).on(device), ints(cu).on(device), longest, 2);
        assertThrows(IllegalArgumentException.class, call::run);
        AttentionBackward backward = call.gradients(q, out, lse);
        assertThrows(IllegalArgumentException.class, () -> backward.backward(scope));
      }
    }
    assertUntouched(out, lse);
  }

  @OnEveryDevice
  void nothingAtAllIsLegal(TestDevice on) {
    Device device = on.device();
    Tensor none = scope.allocate(DType.FLOAT32, 0, 1, 8).on(device);
    Tensor keys = normal(1, 3, 1, 8).on(device);
    Attention attention = Attention.create();
    for (int[] cu : new int[][] {{0}, {0, 0}}) {
      Tensor zeros = ints(cu).on(device);
      AttentionCall call = attention.call(none, none, none).cuSeqlens(zeros, zeros, 0, 0);
      assertEquals(0, call.forward(scope).elements());
    }
    // Queries that see no key, and keys that no query sees.
    Tensor queries = ints(0, 3).on(device);
    Tensor lse = filled(1, 3).on(device);
    AttentionCall call = attention.call(keys, none, none).lse(lse);
    call.cuSeqlens(queries, ints(0, 0).on(device), 3, 0);
    assertArrayEquals(new float[24], call.forward(scope).toFloatArray());
    assertEquals(Float.NEGATIVE_INFINITY, lse.getFloat(0, 2));
    call = attention.call(none, keys, keys).lse(scope.allocate(DType.FLOAT32, 1, 0).on(device));
    call.cuSeqlens(ints(0, 0).on(device), queries, 0, 3);
    call.forward(scope);
    assertArrayEquals(new float[24], call.gradients(none).backward(scope).key().toFloatArray());
  }

  /** Bounds that a caller takes from int32 itself must cost neither time nor memory. */
  @OnEveryDevice
  void itemsFollowTheRowsAndNotTheLongestThatIsClaimed(TestDevice on) {
    Device device = on.device();
    Attention attention = Attention.create();
    long rows = 3000;
    for (long batch : new long[] {1, 40}) {
      var claimed =
          AttentionShape.packed(DType.FLOAT32, batch, MOST, MOST, rows, rows, 4, 2, 32).lse();
      AttentionPlan plan = attention.plan(device, claimed.build());
      long tiles = rows * 2 / plan.tileQueries() + 1;
      // A GPU has a block for every tile that a sequence may have.
      long most = on.isCpu() ? tiles + batch : tiles * batch;
      assertTrue(plan.items(0) <= most * 2, plan.toString());
      AttentionPlan backward = attention.plan(device, claimed.backward().build());
      for (int phase = 0; phase < backward.phases(); phase++) {
        assertTrue(backward.items(phase) < 1000 * batch, backward + " phase " + phase);
      }
      assertTrue(backward.workspaceBytes() < (64L << 20), backward.toString());
    }
  }

  private static int[] cumulative(int[] lengths) {
    int[] sums = new int[lengths.length + 1];
    for (int b = 0; b < lengths.length; b++) {
      sums[b + 1] = sums[b] + lengths[b];
    }
    return sums;
  }

  /** All that a forward and a backward pass give, for these bounds. */
  private float[][] results(
      Device device, Attention attention, int[] queries, int[] keys, long longest, int workers) {
    int[] cuQ = cumulative(queries);
    int[] cuK = cumulative(keys);
    int rows = cuQ[queries.length];
    int columns = cuK[keys.length];
    Tensor q = normal(1, rows, 4, 16).on(device);
    Tensor k = normal(2, columns, 2, 16).on(device);
    Tensor lse = filled(4, rows).on(device);
    AttentionCall call =
        attention
            .call(q, k, k)
            .cuSeqlens(ints(cuQ).on(device), ints(cuK).on(device), longest, longest)
            .parallelism(workers)
            .lse(lse);
    Tensor out = call.forward(scope);
    Tensor dquery = filled(rows, 4, 16).on(device);
    Tensor dkey = filled(columns, 2, 16).on(device);
    Tensor dvalue = filled(columns, 2, 16).on(device);
    AttentionBackward backward = call.gradients(normal(3, rows, 4, 16).on(device));
    backward.dquery(dquery).dkey(dkey).dvalue(dvalue).deterministic(true).run();
    return new float[][] {
      out.toFloatArray(),
      lse.toFloatArray(),
      dquery.toFloatArray(),
      dkey.toFloatArray(),
      dvalue.toFloatArray()
    };
  }

  @OnEveryDevice
  void theLongestThatIsClaimedLeavesTheBitsAsTheyAre(TestDevice on) {
    Device device = on.device();
    int[] queries = {130, 0, 1, 700, 0, 0, 33, 513};
    int[] keys = {40, 3, 0, 650, 9, 0, 33, 513};
    if (on.isSimulated()) {
      queries = new int[] {33, 0, 1, 20};
      keys = new int[] {20, 3, 0, 40};
    }
    long longest = IntStream.of(queries[3], keys[3]).max().getAsInt();
    for (Attention attention :
        List.of(Attention.create(), Attention.builder().causal().window(90, 0).build())) {
      float[][] expected = results(device, attention, queries, keys, longest, 1);
      for (int workers : on.isCpu() ? new int[] {1, 3} : new int[] {1}) {
        float[][] claimed = results(device, attention, queries, keys, MOST - 1024, workers);
        for (int i = 0; i < expected.length; i++) {
          assertArrayEquals(expected[i], claimed[i], attention + " result " + i);
        }
      }
    }
  }

  private void assertOffsetsRefused(
      Tensor rows, int[] right, int[] wrong, long longest, int workers) {
    for (boolean ofQuery : new boolean[] {false, true}) {
      Tensor cuQ = ints(ofQuery ? wrong : right).on(rows.device());
      Tensor cuK = ints(ofQuery ? right : wrong).on(rows.device());
      AttentionCall call = Attention.create().call(rows, rows, rows).parallelism(workers);
      Tensor out = filled(rows.shape()).on(rows.device());
      Tensor lse = filled(1, rows.size(0)).on(rows.device());
      call.out(out).lse(lse);
      call.cuSeqlens(cuQ, cuK, longest, longest);
      String why = (ofQuery ? "query " : "key ") + Arrays.toString(wrong);
      assertThrows(IllegalArgumentException.class, call::run, why);
      AttentionBackward backward = call.gradients(rows, out, lse);
      assertThrows(IllegalArgumentException.class, () -> backward.backward(scope), why);
    }
  }

  /** Wherever they are wrong, and whoever of how many workers takes the items there. */
  @OnEveryDevice
  void theCpuRefusesOffsetsThatAreWrongAnywhere(TestDevice on) {
    on.assumeCpu("a GPU cannot report what its memory holds");
    Random random = new Random(3);
    Tensor rows = normal(1, 1200, 1, 8).on(on.device());
    int[] lengths = new int[60];
    Arrays.fill(lengths, 20);
    int[] right = cumulative(lengths);
    for (int n = 0; n < 100; n++) {
      int[] wrong = right.clone();
      int at = 1 + random.nextInt(lengths.length - 1);
      // Falls, or rises by more than the longest.
      wrong[at] += (random.nextBoolean() ? 1 : -1) * (21 + random.nextInt(30));
      assertOffsetsRefused(rows, right, wrong, 40, 1 + n % 4);
    }
  }

  /** The sequences around one that falls back have all tiles between them. */
  @OnEveryDevice
  void theCpuRefusesOffsetsThatFallOverWholeTiles(TestDevice on) {
    on.assumeCpu("a GPU cannot report what its memory holds");
    Tensor rows = normal(1, 2560, 1, 8).on(on.device());
    int[] right = {0, 1000, 2000, 2560};
    for (int workers = 1; workers < 4; workers++) {
      assertOffsetsRefused(rows, right, new int[] {0, 2048, 512, 2560}, 2048, workers);
    }
  }

  /** Rows before the first offset or behind the last one. */
  @OnEveryDevice
  void rowsOfNoSequenceAreRefusedByTheCpuAndLeftByAGpu(TestDevice on) {
    Device device = on.device();
    int[] lengths = {3, 2};
    float[][] expected = results(device, Attention.create(), lengths, lengths, 3, 1);
    Tensor q = normal(1, 8, 4, 16).on(device);
    Tensor k = normal(2, 8, 2, 16).on(device);
    Tensor cu = ints(0, 3, 5).on(device);
    Tensor out = filled(8, 4, 16).on(device);
    Tensor lse = filled(4, 8).on(device);
    Tensor weights = filled(4, 8, 4).on(device);
    Tensor bias = scope.allocate(DType.FLOAT32, 4, 8, 4).on(device);
    Tensor dbias = filled(4, 8, 4).on(device);
    AttentionCall call = Attention.create().call(q, k, k).bias(bias).cuSeqlens(cu, cu, 4, 4);
    call.out(out).lse(lse).weights(weights);
    List<Tensor> gradients = new ArrayList<>();
    for (boolean deterministic : new boolean[] {false, true}) {
      for (boolean accumulate : new boolean[] {false, true}) {
        gradients.clear();
        gradients.add(filled(8, 4, 16).on(device));
        gradients.add(filled(8, 2, 16).on(device));
        gradients.add(filled(8, 2, 16).on(device));
        AttentionBackward backward =
            call.gradients(normal(3, 8, 4, 16).on(device), out, lse)
                .dquery(gradients.get(0))
                .dkey(gradients.get(1))
                .dvalue(gradients.get(2))
                .dbias(dbias)
                .accumulate(accumulate)
                .deterministic(deterministic);
        if (on.isCpu()) {
          String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
          assertEquals("cuSeqlensQ goes from 0 to 5, expected from 0 to 8", message);
          assertThrows(IllegalArgumentException.class, backward::run);
          assertUntouched(out, lse, weights, dbias);
          continue;
        }
        call.run();
        backward.run();
        for (Tensor gradient : gradients) {
          assertUntouched(gradient.slice(0, 5, 8));
        }
        assertUntouched(out.slice(0, 5, 8), lse.slice(1, 5, 8));
        assertUntouched(weights.slice(1, 5, 8), dbias.slice(1, 5, 8));
      }
    }
    if (!on.isCpu()) {
      assertArrayEquals(expected[0], out.slice(0, 0, 5).toFloatArray(), 1e-6f);
      assertArrayEquals(expected[2], gradients.get(0).slice(0, 0, 5).toFloatArray(), 1e-6f);
    }
  }
}

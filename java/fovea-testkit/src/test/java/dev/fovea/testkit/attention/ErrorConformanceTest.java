package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.testkit.FakeBackend;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Every misuse is an exception that names the culprit; none reaches native code. */
class ErrorConformanceTest {

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor floats(long... shape) {
    return scope.allocate(DType.FLOAT32, shape);
  }

  private AttentionCall call() {
    return Attention.create()
        .call(floats(2, 4, 4, 8), floats(2, 6, 2, 8), floats(2, 6, 2, 8))
        .out(floats(2, 4, 4, 8));
  }

  private static void refused(String word, Executable action) {
    IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class, action);
    assertNotNull(thrown.getMessage());
    assertTrue(
        thrown.getMessage().contains(word), "message names " + word + ": " + thrown.getMessage());
  }

  @Test
  void theUsualCallRuns() {
    call().run();
  }

  @Test
  void shapesThatOverflow() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(64, 64);
      refused("", () -> Tensor.of(memory, DType.FLOAT32, 1L << 40, 1L << 40));
      refused("", () -> Tensor.of(memory, DType.FLOAT32, 1L << 62, 4));
      refused("", () -> Tensor.of(memory, DType.FLOAT32, -1, 4));
      refused(
          "",
          () ->
              Tensor.of(
                  memory, DType.FLOAT32, new long[] {3, 4}, new long[] {Long.MAX_VALUE / 2, 1}));
      refused("", () -> scope.allocate(DType.FLOAT32, 1L << 40, 1L << 40));
    }
    Device cpu = Device.cpu();
    refused(
        "",
        () ->
            Tensor.ofAddress(
                cpu, 64, DType.FLOAT32, new long[] {1L << 40, 1L << 40}, new long[] {1L << 40, 1}));
  }

  @Test
  void closedScope() {
    Scope other = Scope.open();
    Tensor query = other.copyOf(new float[64], 2, 4, 1, 8);
    AttentionCall call = Attention.create().call(query, query, query).out(floats(2, 4, 1, 8));
    call.run();
    other.close();
    assertThrows(IllegalStateException.class, call::run);
    assertThrows(IllegalStateException.class, () -> query.getFloat(0, 0, 0, 0));
    assertThrows(IllegalStateException.class, () -> other.allocate(DType.FLOAT32, 4));
  }

  @Test
  void closedArena() {
    Arena arena = Arena.ofShared();
    Tensor query = Tensor.of(arena.allocate(256, 64), DType.FLOAT32, 2, 4, 1, 8);
    AttentionCall call = Attention.create().call(query, query, query).out(floats(2, 4, 1, 8));
    call.run();
    arena.close();
    assertThrows(IllegalStateException.class, call::run);
  }

  @Test
  void anotherDevice() {
    Device fake = Devices.of(new FakeBackend());
    Tensor local = floats(2, 4, 1, 8);
    Tensor remote =
        Tensor.ofAddress(
            fake, 4096, DType.FLOAT32, new long[] {2, 4, 1, 8}, new long[] {32, 8, 8, 1});
    Attention attention = Attention.create();
    refused("key", () -> attention.call(local, remote, local).out(local).run());
    refused("value", () -> attention.call(local, local, remote).out(local).run());
    refused("out", () -> attention.call(local, local, local).out(remote).run());
    refused(
        "lse",
        () ->
            call()
                .lse(
                    Tensor.ofAddress(
                        fake, 4096, DType.FLOAT32, new long[] {2, 4, 4}, new long[] {16, 4, 1}))
                .run());
    assertThrows(UnsupportedOperationException.class, () -> remote.getFloat(0, 0, 0, 0));
    assertThrows(UnsupportedOperationException.class, remote::segment);
  }

  @Test
  void noOut() {
    Tensor q = floats(2, 4, 1, 8);
    assertThrows(IllegalStateException.class, () -> Attention.create().call(q, q, q).run());
  }

  @Test
  void shapesThatDoNotFit() {
    Attention attention = Attention.create();
    Tensor q = floats(2, 4, 4, 8);
    Tensor k = floats(2, 6, 2, 8);
    Tensor out = floats(2, 4, 4, 8);
    refused("query", () -> attention.call(floats(2, 4, 8), k, k).out(out).run());
    refused("key", () -> attention.call(q, floats(2, 6, 2, 9), k).out(out).run());
    refused("key", () -> attention.call(q, floats(3, 6, 2, 8), k).out(out).run());
    refused("value", () -> attention.call(q, k, floats(2, 5, 2, 8)).out(out).run());
    refused("value", () -> attention.call(q, k, floats(2, 6, 1, 8)).out(out).run());
    refused("out", () -> attention.call(q, k, k).out(floats(2, 4, 4, 9)).run());
    refused(
        "queryHeads",
        () -> attention.call(q, floats(2, 6, 3, 8), floats(2, 6, 3, 8)).out(out).run());
    refused("lse", () -> call().lse(floats(2, 4, 5)).run());
    refused("weights", () -> call().weights(floats(2, 4, 4, 7)).run());
    refused("bias", () -> call().bias(floats(2, 4, 4, 7)).run());
    refused("bias", () -> call().bias(floats(2, 3, 4, 6)).run());
    refused("bias", () -> call().bias(floats(6)).run());
    refused("alibiSlopes", () -> call().alibiSlopes(floats(3)).run());
    refused("sinks", () -> call().sinks(floats(2)).run());
    refused("keyLengths", () -> call().keyLengths(scope.copyOf(new int[3], 3)).run());
  }

  @Test
  void typesThatDoNotFit() {
    Tensor half = scope.allocate(DType.FLOAT16, 2, 6, 2, 8);
    Tensor q = floats(2, 4, 4, 8);
    Tensor k = floats(2, 6, 2, 8);
    Attention attention = Attention.create();
    refused("value", () -> attention.call(q, half, k).out(floats(2, 4, 4, 8)).run());
    refused("value", () -> attention.call(q, k, half).out(floats(2, 4, 4, 8)).run());
    refused(
        "out", () -> attention.call(q, k, k).out(scope.allocate(DType.FLOAT16, 2, 4, 4, 8)).run());
    refused(
        "query",
        () -> {
          Tensor ints = scope.allocate(DType.INT32, 2, 4, 4, 8);
          attention.call(ints, ints, ints).out(ints).run();
        });
    refused("lse", () -> call().lse(scope.allocate(DType.FLOAT16, 2, 4, 4)).run());
    refused("keyLengths", () -> call().keyLengths(floats(2)).run());
    refused("sinks", () -> call().sinks(scope.allocate(DType.FLOAT16, 4)).run());
  }

  @Test
  void innermostMustBeDense() {
    Tensor wide = floats(2, 4, 4, 16);
    Tensor gappy =
        Tensor.of(
            wide.segment(), DType.FLOAT32, new long[] {2, 4, 4, 8}, new long[] {256, 64, 16, 2});
    Tensor q = floats(2, 4, 4, 8);
    Attention attention = Attention.create();
    refused("query", () -> attention.call(gappy, q, q).out(floats(2, 4, 4, 8)).run());
    refused("value", () -> attention.call(q, q, gappy).out(floats(2, 4, 4, 8)).run());
    refused("out", () -> attention.call(q, q, q).out(gappy).run());
  }

  @Test
  void outputsThatOverlapThemselves() {
    Tensor q = floats(2, 4, 4, 8);
    MemorySegment memory = floats(2, 4, 4, 8).segment();
    Attention attention = Attention.create();
    long[] shape = {2, 4, 4, 8};
    for (long[] strides :
        new long[][] {{0, 32, 8, 1}, {32, 32, 8, 1}, {128, 32, 4, 1}, {128, 31, 8, 1}}) {
      Tensor out = Tensor.of(memory, DType.FLOAT32, shape, strides);
      refused("out", () -> attention.call(q, q, q).out(out).run());
    }
    Tensor lse = Tensor.of(memory, DType.FLOAT32, new long[] {2, 4, 4}, new long[] {16, 2, 1});
    refused("lse", () -> call().lse(lse).run());
    Tensor weights =
        Tensor.of(memory, DType.FLOAT32, new long[] {2, 4, 4, 6}, new long[] {0, 24, 6, 1});
    refused("weights", () -> call().weights(weights).run());
  }

  @Test
  void lengthsOutOfRange() {
    refused("keyLengths", () -> call().keyLengths(scope.copyOf(new int[] {7, 1}, 2)).run());
    refused("keyLengths", () -> call().keyLengths(scope.copyOf(new int[] {1, -1}, 2)).run());
    refused("queryLengths", () -> call().queryLengths(scope.copyOf(new int[] {5, 1}, 2)).run());
    refused(
        "queryLengths",
        () -> call().queryLengths(scope.copyOf(new int[] {Integer.MIN_VALUE, 1}, 2)).run());
  }

  @Test
  void lengthsOutOfRangeOfABackwardPass() {
    Tensor out = floats(2, 4, 4, 8);
    for (int[] lengths : new int[][] {{7, 1}, {1, -1}, {Integer.MIN_VALUE, 0}}) {
      AttentionCall call = call().keyLengths(scope.copyOf(lengths, 2));
      refused("keyLengths[", () -> call.gradients(out, out, floats(2, 4, 4)).backward(scope));
    }
  }

  /** A device reads lengths when its kernel runs, which is too late to refuse them. */
  @OnEveryDevice
  void aDeviceTakesTheNearestLengths(TestDevice on) {
    assumeFalse(on.isCpu(), "the CPU refuses lengths, see lengthsOutOfRange");
    Device device = on.device();
    Tensor q = values(2, 4, 4, 8).on(device);
    Tensor k = values(2, 6, 2, 8).on(device);
    int[][][] queriesAndKeys = {
      {{4, 1}, {7, -1}, {6, 0}}, {{1, 4}, {Integer.MAX_VALUE, Integer.MIN_VALUE}, {6, 0}}
    };
    for (int[][] lengths : queriesAndKeys) {
      Tensor clamped = floats(2, 4, 4, 8).fill(Float.NaN).on(device);
      Tensor nearest = floats(2, 4, 4, 8).fill(Float.NaN).on(device);
      AttentionCall call = Attention.builder().causal().build().call(q, k, k);
      call.queryLengths(ints(lengths[0]).on(device));
      call.keyLengths(ints(lengths[1]).on(device)).out(clamped).run();
      call.keyLengths(ints(lengths[2]).on(device)).out(nearest).run();
      assertArrayEquals(nearest.toFloatArray(), clamped.toFloatArray());
    }
    Tensor all = floats(2, 4, 4, 8).fill(Float.NaN).on(device);
    Tensor none = floats(2, 4, 4, 8).fill(Float.NaN).on(device);
    Attention attention = Attention.create();
    attention.call(q, k, k).out(all).queryLengths(ints(9, -3).on(device)).run();
    attention.call(q, k, k).out(none).queryLengths(ints(4, 0).on(device)).run();
    assertArrayEquals(none.toFloatArray(), all.toFloatArray());
  }

  private static final int[][] WRONG_OFFSETS = {
    {0, 5, 11}, {1, 5, 10}, {0, 6, 5}, {0, 5, 9}, {0, -1, 10}, {0, 9, 10}, {0, 11, 10}
  };

  @Test
  void offsetsOutOfRange() {
    Tensor q = floats(10, 2, 8);
    Tensor out = floats(10, 2, 8);
    int[] right = {0, 5, 10};
    Attention attention = Attention.create();
    attention.call(q, q, q).out(out).cuSeqlens(ints(right), ints(right), 5, 5).run();
    for (int[] offsets : WRONG_OFFSETS) {
      AttentionCall query =
          attention.call(q, q, q).out(out).cuSeqlens(ints(offsets), ints(right), 5, 5);
      AttentionCall key =
          attention.call(q, q, q).out(out).cuSeqlens(ints(right), ints(offsets), 5, 5);
      String why = java.util.Arrays.toString(offsets);
      assertThrows(IllegalArgumentException.class, query::run, "query " + why);
      assertThrows(IllegalArgumentException.class, key::run, "key " + why);
    }
  }

  /** Whatever offsets say, a device touches no row outside the tensors. */
  @OnEveryDevice
  void aDeviceStaysInsideWhateverOffsetsSay(TestDevice on) {
    assumeFalse(on.isCpu(), "the CPU refuses offsets, see offsetsOutOfRange");
    Device device = on.device();
    try (GuardedMemory input = GuardedMemory.allocate(10 * 2 * 8 * 4, Side.END, 4);
        GuardedMemory output = GuardedMemory.allocate(10 * 2 * 8 * 4, Side.BEGIN, 4)) {
      Tensor q = Tensor.of(input.segment(), DType.FLOAT32, 10, 2, 8).fill(1).on(device);
      Tensor out = Tensor.of(output.segment(), DType.FLOAT32, 10, 2, 8).on(device);
      int[][] offsets = java.util.Arrays.copyOf(WRONG_OFFSETS, WRONG_OFFSETS.length + 2);
      offsets[WRONG_OFFSETS.length] = new int[] {Integer.MIN_VALUE, 0, Integer.MAX_VALUE};
      offsets[WRONG_OFFSETS.length + 1] = new int[] {1 << 30, -1 << 30, 3};
      for (int[] queries : offsets) {
        for (int[] keys : offsets) {
          AttentionCall call = Attention.create().call(q, q, q).out(out);
          call.cuSeqlens(ints(queries).on(device), ints(keys).on(device), 5, 5).run();
        }
      }
      assertTrue(input.slackIntact() && output.slackIntact());
    }
  }

  private Tensor values(long... shape) {
    Tensor tensor = floats(shape);
    Gaussian random = new Gaussian(tensor.elements());
    float[] drawn = new float[(int) tensor.elements()];
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = random.nextNormal();
    }
    return tensor.copyFrom(drawn);
  }

  private Tensor ints(int... values) {
    return scope.copyOf(values, values.length);
  }

  @Test
  void numbersOutOfRange() {
    refused("", () -> Attention.builder().dropout(1));
    refused("", () -> Attention.builder().dropout(-0.1));
    refused("", () -> Attention.builder().dropout(Double.NaN));
    refused("", () -> Attention.builder().softcap(-1));
    for (double softcap : new double[] {Double.NaN, 1e-44, 0x0.ffp-32, 0x1.01p32, 3e38}) {
      refused("softcap is " + softcap, () -> Attention.builder().softcap(softcap));
    }
    refused("", () -> Attention.builder().scale(Double.NaN));
    refused("", () -> Attention.builder().scale(Double.POSITIVE_INFINITY));
    refused("", () -> Attention.builder().window(-2, 0));
    refused("", () -> Attention.builder().window(0, Long.MIN_VALUE));
    refused("", () -> call().parallelism(0));
  }

  @Test
  void headsTooWide() {
    Tensor q = floats(1, 2, 1, 513);
    RuntimeException thrown =
        assertThrows(
            RuntimeException.class,
            () -> Attention.create().call(q, q, q).out(floats(1, 2, 1, 513)).run());
    assertTrue(
        thrown instanceof UnsupportedOperationException
            || thrown instanceof IllegalArgumentException,
        thrown.toString());
    Tensor none = floats(1, 2, 1, 0);
    refused("", () -> Attention.create().call(none, none, none).out(none).run());
  }

  @Test
  void packedTakesOffsetsAndPaddedLengths() {
    Tensor q = floats(10, 2, 8);
    refused("", () -> Attention.create().call(q, q, q).out(floats(10, 2, 8)).run());
    refused("", () -> call().cuSeqlens(ints(0, 5, 10), ints(0, 5, 10), 5, 5).run());
    assertThrows(
        UnsupportedOperationException.class,
        () ->
            Attention.create()
                .call(q, q, q)
                .out(floats(10, 2, 8))
                .cuSeqlens(ints(0, 5, 10), ints(0, 5, 10), 5, 5)
                .queryLengths(ints(1, 1))
                .run());
    AttentionCall longer =
        Attention.create()
            .call(q, q, q)
            .out(floats(10, 2, 8))
            .cuSeqlens(ints(0, 4, 10), ints(0, 4, 10), 6, 6)
            .keyLengths(ints(5, 1));
    refused("keyLengths[0] is 5, expected 0 to 4", longer::run);
  }

  @Test
  void readOnlyOutput() {
    Tensor q = floats(2, 4, 1, 8);
    Tensor out = Tensor.of(floats(2, 4, 1, 8).segment().asReadOnly(), DType.FLOAT32, 2, 4, 1, 8);
    refused("out", () -> Attention.create().call(q, q, q).out(out).run());
    Tensor input = Tensor.of(q.segment().asReadOnly(), DType.FLOAT32, 2, 4, 1, 8);
    Attention.create().call(input, input, input).out(floats(2, 4, 1, 8)).run();
  }
}

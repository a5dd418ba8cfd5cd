package dev.fovea.testkit.rotary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.fovea.DType;
import dev.fovea.RotaryCall;
import dev.fovea.RotaryEmbedding;
import dev.fovea.RotaryTables;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.rotary.CaseBuilder.Sharing;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What holds beyond one case: every width of a row, bits, positions that are none; refusals. */
class RotaryConformanceTest {

  /** Around the widths of vectors, of 4 to 32 elements, and of two of them. */
  private static final int[] PAIRS = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 64, 256};

  /** Elements before rows and between them, of which vectors of some types and widths begin. */
  private static final int[] APART = {0, 1, 2, 4, 8};

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  private static List<RotaryEmbedding> both() {
    return List.of(RotaryEmbedding.halfSplit(), RotaryEmbedding.interleaved());
  }

  /**
   * Pairs as many as vectors have lanes, one more or less, with as many columns behind them; rows
   * that begin where vectors are aligned or not; types that differ.
   */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int pairs : PAIRS) {
      for (int copied : new int[] {0, 1, 3, 8, 17, 64}) {
        for (DType type : TestDevice.TYPES) {
          int headDim = 2 * pairs + copied;
          if (headDim > CaseGenerator.WIDEST) {
            continue;
          }
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .outDType(seed % 4 == 0 ? DType.FLOAT32 : type)
                  .sizes(1, 3, 2, headDim)
                  .tables(pairs, 5)
                  .positions(Sharing.ONE, RotaryCase.Order.ANY)
                  .content(RotaryCase.Content.NORMAL, ++seed)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END);
          int apart = APART[seed % APART.length];
          for (String rows : List.of("x", "dout", "out", "dx")) {
            c.style(rows, Style.gaps(Order.DENSE, apart, 0, 0, 0, apart));
          }
          for (int pairing = 0; pairing < 2; pairing++) {
            c.backward(null);
            failed.check(c.build());
            failed.check(c.backward(seed % 5 == 0 ? DType.BFLOAT16 : type).build());
            c.interleaved();
          }
        }
      }
    }
    failed.orPass();
  }

  /**
   * Rows a multiple of 16 bytes apart that begin anywhere, for each operand alone; and rows that
   * are no such multiple, but their distances.
   */
  @OnEveryGroup
  void rowsApartByWholePackets(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (DType type : TestDevice.TYPES) {
      for (int copied : new int[] {0, 8, 4}) {
        int gap = copied % 8;
        for (int offset : new int[] {0, 1, 2, 4}) {
          for (String rows : List.of("x", "dout", "out", "dx")) {
            CaseBuilder c =
                new CaseBuilder()
                    .dtype(type)
                    .sizes(2, 3, 2, 16 + copied)
                    .tables(8, 3)
                    .content(RotaryCase.Content.NORMAL, ++seed);
            for (String any : List.of("x", "dout", "out", "dx")) {
              c.style(any, Style.gaps(Order.DENSE, any.equals(rows) ? offset : 0, 0, 0, 0, gap));
            }
            c.backward(rows.startsWith("d") ? type : null);
            failed.check(c.build());
            failed.check(c.interleaved().build());
          }
        }
      }
    }
    failed.orPass();
  }

  private static Tensor nans(Scope scope, long... shape) {
    return scope.allocate(DType.FLOAT32, shape).fill(Float.NaN);
  }

  /** The CPU says which position is no row of the tables, before or behind them. */
  @OnEveryDevice
  void positionsThatAreNoneAreRefused(TestDevice on) {
    on.assumeCpu("a kernel on a GPU cannot say so");
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 2, 3, 2, 8);
      Tensor cosines = random(scope, 2, 7, 3);
      Tensor sines = random(scope, 3, 7, 3);
      for (int none : new int[] {7, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
        for (RotaryEmbedding embedding : both()) {
          RotaryCall each =
              embedding
                  .call(x, cosines, sines)
                  .positions(scope.copyOf(new int[] {0, 6, 1, 3, 4, none}, 2, 3));
          refused("positions", () -> each.forward(scope));
          refused(String.valueOf(none), () -> each.forward(scope));
          refused("positions", () -> each.gradients(x).backward(scope));
          RotaryCall shared =
              embedding
                  .call(x, cosines, sines)
                  .positions(scope.copyOf(new int[] {none, 0, 1}, 1, 3));
          refused("positions", () -> shared.forward(scope));
        }
      }
    }
  }

  /** Elsewhere its pairs are NaN, in every head; what is copied, and other rows, are as ever. */
  @OnEveryDevice
  void positionsThatAreNoneGiveNaN(TestDevice on) {
    assumeFalse(on.isCpu(), () -> on + " is skipped: it refuses them");
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 2, 3, 2, 9);
      Tensor cosines = random(scope, 2, 7, 3);
      Tensor sines = random(scope, 3, 7, 3);
      for (int none : new int[] {7, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
        for (RotaryEmbedding embedding : both()) {
          RotaryCall call = embedding.call(x, cosines, sines);
          call.positions(scope.copyOf(new int[] {0, 6, 1, 3, 0, 5}, 2, 3));
          float[] out = call.forward(scope).toFloatArray();
          float[] dx = call.gradients(x).backward(scope).toFloatArray();
          for (int head = 0; head < 2; head++) {
            for (int i = 0; i < 6; i++) {
              out[((4 * 2) + head) * 9 + i] = Float.NaN;
              dx[((4 * 2) + head) * 9 + i] = Float.NaN;
            }
          }
          call.positions(scope.copyOf(new int[] {0, 6, 1, 3, none, 5}, 2, 3));
          assertArrayEquals(out, call.forward(scope).toFloatArray());
          assertArrayEquals(dx, call.gradients(x).backward(scope).toFloatArray());
        }
      }
    }
  }

  /** A backward pass is bound to x, and takes nothing of it but the shape. */
  @OnEveryDevice
  void theBackwardPassDoesNotReadX(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor dout = random(scope, 1, 2, 5, 3, 12);
      Tensor cosines = random(scope, 2, 5, 5);
      Tensor sines = random(scope, 3, 5, 5);
      for (RotaryEmbedding embedding : both()) {
        Tensor dx = embedding.call(dout, cosines, sines).gradients(dout).backward(scope);
        RotaryCall other = embedding.call(nans(scope, 2, 5, 3, 12), cosines, sines);
        assertArrayEquals(dx.toFloatArray(), other.gradients(dout).backward(scope).toFloatArray());
      }
    }
  }

  /** A row has the same bits alone, in a batch, and whatever threads share that. */
  @OnEveryDevice
  void bitsOfARow(TestDevice on) {
    int length = on.size(700, 40);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 3, length, 2, 20);
      Tensor cosines = random(scope, 2, length, 7);
      Tensor sines = random(scope, 3, length, 7);
      for (RotaryEmbedding embedding : both()) {
        RotaryCall all = embedding.call(x, cosines, sines).parallelism(3);
        Tensor out = all.forward(scope);
        Tensor dx = all.gradients(x).backward(scope);
        for (int row : new int[] {0, 1, length - 1}) {
          Tensor one = x.slice(0, 1, 2).slice(1, row, row + 1);
          RotaryCall alone =
              embedding
                  .call(one, cosines, sines)
                  .positions(scope.copyOf(new int[] {row}, 1, 1))
                  .parallelism(1);
          assertArrayEquals(
              out.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.forward(scope).toFloatArray());
          assertArrayEquals(
              dx.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.gradients(one).backward(scope).toFloatArray());
        }
      }
    }
  }

  /** What is large may go past the caches, in whole lines: of 32 MiB and more. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void bitsDoNotDependOnTheSize(DType type) {
    boolean exact = type == DType.FLOAT32;
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 3, 2900, exact ? 16 : 32, 64).to(scope, type);
      if (!exact) {
        x.setFloat(Float.NaN, 0, 17, 3, 5);
        x.setFloat(Float.POSITIVE_INFINITY, 1, 18, 2, 40);
        x.setFloat(-Rounding.largest(type), 2, 19, 1, 33);
      }
      RotaryTables tables = RotaryTables.of(scope, 2900, 48, RotaryTables.BASE);
      for (RotaryEmbedding embedding : both()) {
        RotaryCall all = embedding.call(x, tables).parallelism(2);
        Tensor out = all.forward(scope);
        Tensor back = all.gradients(out).backward(scope);
        for (int b = 0; b < 3; b++) {
          RotaryCall one = embedding.call(x.slice(0, b, b + 1).slice(1, 0, 500), tables);
          Tensor part = out.slice(0, b, b + 1).slice(1, 0, 500);
          assertArrayEquals(one.forward(scope).toFloatArray(), part.toFloatArray());
          assertArrayEquals(
              one.gradients(part).backward(scope).toFloatArray(),
              back.slice(0, b, b + 1).slice(1, 0, 500).toFloatArray());
        }
        float[] turnedBack = back.toFloatArray();
        float[] before = x.toFloatArray();
        for (int i = 0; exact && i < before.length; i++) { // a rotation turned back is none
          assertEquals(before[i], turnedBack[i], 4e-6f);
        }
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (RotaryEmbedding embedding : both()) {
        RotaryCall none =
            embedding.call(
                scope.allocate(DType.FLOAT32, 0, 6, 2, 8), nans(scope, 6, 4), nans(scope, 6, 4));
        Tensor out = none.forward(scope);
        assertArrayEquals(new long[] {0, 6, 2, 8}, out.shape());
        assertEquals(0, none.gradients(out).backward(scope).elements());
        RotaryCall rowless =
            embedding
                .call(
                    scope.allocate(DType.FLOAT32, 2, 0, 2, 8),
                    scope.allocate(DType.FLOAT32, 0, 4),
                    scope.allocate(DType.FLOAT32, 0, 4))
                .positions(scope.allocate(DType.INT32, 1, 0));
        out = rowless.forward(scope);
        assertArrayEquals(new long[] {2, 0, 2, 8}, out.shape());
        assertEquals(0, rowless.gradients(out).backward(scope).elements());
      }
    }
  }

  @Test
  void whatIsWrittenSharesNothing() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 6, 2, 8);
      Tensor dout = random(scope, 2, 2, 6, 2, 8);
      Tensor cosines = random(scope, 3, 6, 4);
      Tensor sines = random(scope, 4, 6, 4);
      RotaryCall call = RotaryEmbedding.halfSplit().call(x, cosines, sines);
      refused("out shares memory with x", () -> call.out(x).run());
      refused("dx shares memory with dout", () -> call.gradients(dout).dx(dout).run());
      refused("dx shares memory with x", () -> call.gradients(dout).dx(x).run());
      Tensor memory = scope.allocate(DType.FLOAT32, 2 * 6 * 2 * 8 + 24);
      Tensor table = memory.slice(0, 0, 24).reshape(6, 4);
      Tensor over = memory.slice(0, 20, 20 + 2 * 6 * 2 * 8).reshape(2, 6, 2, 8);
      refused(
          "out shares memory with sines",
          () -> RotaryEmbedding.interleaved().call(x, cosines, table).out(over).run());
      // Queries and keys of one memory lie between each other.
      Tensor both = random(scope, 5, 2, 6, 2, 2, 8);
      RotaryEmbedding.halfSplit()
          .call(both.select(2, 0), cosines, sines)
          .out(both.select(2, 1))
          .run();
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 6, 3, 10);
      Tensor table = random(scope, 2, 6, 4);
      RotaryEmbedding embedding = RotaryEmbedding.halfSplit();
      refused(
          "sines has shape [6, 3], expected [P, C] = [6, 4]",
          () -> embedding.call(x, table, random(scope, 3, 6, 3)).forward(scope));
      refused(
          "cosines has shape [3, 6, 4], expected [B or 1, P, C] = [2, any, any]",
          () -> embedding.call(x, random(scope, 3, 3, 6, 4), table).forward(scope));
      refused("pairs", () -> wide(scope, x, 6).forward(scope));
      refused("ositionCount", () -> rows(scope, x, 5).forward(scope));
      refused(
          "positions has shape [6], expected [B or 1, S] = [2, 6]",
          () ->
              embedding
                  .call(x, table, table)
                  .positions(scope.copyOf(new int[6], 6))
                  .forward(scope));
      refused(
          "positions is FLOAT32, expected INT32",
          () -> embedding.call(x, table, table).positions(random(scope, 4, 2, 6)).forward(scope));
      refused(
          "cosines is BFLOAT16, expected FLOAT32",
          () -> embedding.call(x, scope.allocate(DType.BFLOAT16, 6, 4), table).forward(scope));
      refused(
          "headDim is 513, expected 1 to 512",
          () -> embedding.call(random(scope, 5, 1, 6, 1, 513), table, table).forward(scope));
      refused("outDType is INT32, expected a floating type", () -> embedding.outDType(DType.INT32));
      assertThrows(IllegalStateException.class, () -> embedding.call(x, table, table).run());
    }
  }

  private static RotaryCall wide(Scope scope, Tensor x, int pairs) {
    Tensor table = random(scope, 6, 6, pairs);
    return RotaryEmbedding.interleaved().call(x, table, table);
  }

  private static RotaryCall rows(Scope scope, Tensor x, int rows) {
    Tensor table = random(scope, 7, rows, 4);
    return RotaryEmbedding.interleaved().call(x, table, table);
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }
}

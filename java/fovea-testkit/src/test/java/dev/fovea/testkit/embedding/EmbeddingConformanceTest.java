package dev.fovea.testkit.embedding;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.fovea.DType;
import dev.fovea.EmbeddingLookup;
import dev.fovea.EmbeddingLookupCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.embedding.CaseBuilder.Positions;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds beyond one case: every width of a row, bits of sums, ids that are none; refusals. */
class EmbeddingConformanceTest {

  /** Around the widths of vectors and packets, and of a tile of columns. */
  private static final int[] WIDTHS = {
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 1024, 1025
  };

  /** Elements before rows and between them, of which vectors of some types and widths begin. */
  private static final int[] APART = {0, 1, 2, 4, 8};

  private static float[] numbers(long seed, int count) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[count];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    return tensor.copyFrom(numbers(seed, (int) tensor.elements()));
  }

  private static int[] ids(long seed, int count, int vocabulary, boolean skewed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    int[] ids = new int[count];
    Arrays.setAll(
        ids,
        i ->
            skewed
                ? (int) Math.pow(vocabulary, random.nextDouble()) - 1
                : random.nextInt(vocabulary));
    return ids;
  }

  /** Rows of every width that begin where vectors are aligned or not; types that differ. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int width : WIDTHS) {
      for (DType type : TestDevice.TYPES) {
        for (int apart : APART) {
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .outDType(seed % 4 == 0 ? DType.FLOAT32 : type)
                  .sizes(2, 3, 5, width)
                  .positions(Positions.values()[seed % 5], 4)
                  .content(Content.NORMAL, ++seed)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END);
          MatrixStyle gaps = new MatrixStyle(seed % 3 == 0, apart, apart, apart, false);
          for (String rows : List.of("table", "positions", "out", "dout", "dtable", "dpositions")) {
            c.style(rows, gaps);
          }
          failed.check(c.build());
          failed.check(c.backward().build());
          failed.check(c.accumulate().scale(0.75f).build());
        }
      }
    }
    failed.orPass();
  }

  /** For each operand alone: rows a multiple of 16 bytes apart that begin anywhere. */
  @OnEveryGroup
  void rowsApartByWholePackets(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (DType type : TestDevice.TYPES) {
      for (int offset : new int[] {1, 2, 4}) {
        for (String rows : List.of("table", "positions", "out", "dout", "dtable", "dpositions")) {
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .sizes(2, 3, 9, 24)
                  .positions(Positions.EACH, 9)
                  .content(Content.NORMAL, ++seed)
                  .style(rows, new MatrixStyle(false, offset, 0, 0, false));
          if (rows.startsWith("d")) {
            c.backward();
          }
          failed.check(c.build());
        }
      }
    }
    failed.orPass();
  }

  /** scale * the sum of rows of dout, in float32, one after the other in the order of tokens. */
  private static float[] sums(int[] ids, float[] dout, int rows, int skipped, float scale) {
    int width = dout.length / ids.length;
    float[] sums = new float[rows * width];
    boolean[] begun = new boolean[rows];
    for (int token = 0; token < ids.length; token++) {
      int row = ids[token];
      if (row == skipped || row < 0 || row >= rows) {
        continue;
      }
      for (int i = 0; i < width; i++) {
        float element = dout[token * width + i];
        sums[row * width + i] = begun[row] ? sums[row * width + i] + element : element;
      }
      begun[row] = true;
    }
    for (int i = 0; i < sums.length; i++) {
      sums[i] = begun[i / width] ? sums[i] * scale : 0;
    }
    return sums;
  }

  /**
   * Whatever ids there are: one for all, few that are frequent, any; and whatever threads share
   * them. On the CPU so many that rows are listed in several ranges and parts.
   */
  @OnEveryDevice
  void sumsAreInTheOrderOfTokens(TestDevice on) {
    int length = on.size(19_000, 300);
    int vocabulary = on.size(3000, 90);
    int width = 37;
    try (Scope scope = Scope.open(on.device())) {
      Tensor dout = random(scope, 1, 2, length, width);
      float[] rows = dout.toFloatArray();
      Tensor table = scope.allocate(DType.FLOAT32, vocabulary, width);
      Tensor positions = scope.allocate(DType.FLOAT32, length + 3, width);
      int[] same = new int[2 * length];
      Arrays.fill(same, 5);
      List<int[]> all =
          List.of(
              same,
              ids(2, 2 * length, vocabulary, true),
              ids(3, 2 * length, vocabulary, false),
              ids(4, 2 * length, 2, false));
      for (int[] ids : all) {
        EmbeddingLookup lookup = EmbeddingLookup.create().scale(1.5).padding(1);
        EmbeddingLookupCall call = lookup.call(table, scope.copyOf(ids, 2, length));
        call.positions(positions).positionIds(scope.copyOf(ids, 2, length));
        float[] expected = sums(ids, rows, vocabulary, 1, 1.5f);
        float[] ofPositions = sums(ids, rows, length + 3, -1, 1);
        for (int workers : new int[] {1, 3}) {
          Tensor dpositions = scope.allocate(DType.FLOAT32, length + 3, width).fill(Float.NaN);
          call.parallelism(workers);
          Tensor dtable = call.gradients(dout).dpositions(dpositions).backward(scope);
          assertArrayEquals(expected, dtable.toFloatArray());
          assertArrayEquals(ofPositions, dpositions.toFloatArray());
        }
        Tensor byRow = scope.allocate(DType.FLOAT32, length + 3, width);
        call.positionIds(null).gradients(dout).dpositions(byRow).run();
        int[] places = new int[2 * length];
        Arrays.setAll(places, i -> i % length);
        assertArrayEquals(sums(places, rows, length + 3, -1, 1), byRow.toFloatArray());
      }
    }
  }

  /** What is large may go past the caches: of 32 MiB and more; rows of whole lines, and not. */
  @ParameterizedTest
  @ValueSource(ints = {1056, 1040, 1041, 352, 351})
  void bitsDoNotDependOnTheSize(int width) {
    int vocabulary = 9_000_000 / width;
    try (Scope scope = Scope.open()) {
      int[] ids = ids(1, 6000, vocabulary, true);
      Tensor table = random(scope, 2, vocabulary, width);
      Tensor tokens = scope.copyOf(ids, 3, 2000);
      EmbeddingLookup lookup = EmbeddingLookup.create().scale(-2).padding(0);
      EmbeddingLookupCall call = lookup.call(table, tokens).parallelism(2);
      Tensor dout = random(scope, 3, 3, 2000, width);
      Tensor dtable = call.gradients(dout).backward(scope);
      float[] expected = sums(ids, dout.toFloatArray(), vocabulary, 0, -2);
      assertArrayEquals(expected, dtable.toFloatArray());
      int more = vocabulary / 6000 + 2; // so that out is as large
      int[] many = new int[6000 * more];
      Arrays.setAll(many, i -> ids[i % 6000]);
      Tensor out =
          lookup.call(table, scope.copyOf(many, 3, 2000 * more)).parallelism(2).forward(scope);
      float[] rows = table.toFloatArray();
      float[] got = out.toFloatArray();
      for (int token = 0; token < many.length; token++) {
        for (int i = 0; i < width; i++) {
          if (got[token * width + i] != -2 * rows[many[token] * width + i]) {
            assertEquals(-2 * rows[many[token] * width + i], got[token * width + i]);
          }
        }
      }
    }
  }

  /** The CPU says which id is no row before anything is written. */
  @OnEveryDevice
  void idsThatAreNoRowsAreRefused(TestDevice on) {
    on.assumeCpu("a kernel on a GPU cannot say so");
    try (Scope scope = Scope.open(on.device())) {
      Tensor table = random(scope, 1, 7, 3);
      int count = 200_000; // so many that they are looked at in several items
      for (int none : new int[] {7, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
        int[] ids = new int[count];
        ids[count - 2] = none;
        Tensor wrong = scope.copyOf(ids, 2, count / 2);
        Tensor right = scope.copyOf(new int[count], 2, count / 2);
        Tensor out = scope.allocate(DType.FLOAT32, 2, count / 2, 3).fill(5);
        Tensor gradient = scope.allocate(DType.FLOAT32, 7, 3).fill(5);
        EmbeddingLookupCall call = EmbeddingLookup.create().call(table, wrong).out(out);
        String named = "[1, %d] is %d, expected 0 to 6".formatted(count / 2 - 2, none);
        refused("ids" + named, call::run);
        refused("ids" + named, () -> call.gradients(out).dtable(gradient).run());
        EmbeddingLookupCall positions = EmbeddingLookup.create().call(table, right);
        positions.positions(random(scope, 2, 7, 3)).positionIds(wrong).out(out);
        refused("positionIds" + named, positions::run);
        refused("positionIds" + named, () -> positions.gradients(out).dtable(gradient).run());
        for (float value : out.toFloatArray()) {
          assertEquals(5, value);
        }
        for (float value : gradient.toFloatArray()) {
          assertEquals(5, value);
        }
      }
    }
  }

  /** Elsewhere its row is NaN and adds to no gradient; other rows are as ever. */
  @OnEveryDevice
  void idsThatAreNoRowsGiveNaN(TestDevice on) {
    assumeFalse(on.isCpu(), () -> on + " is skipped: it refuses them");
    try (Scope scope = Scope.open(on.device())) {
      for (int width : new int[] {9, 8}) {
        Tensor table = random(scope, 1, 7, width);
        Tensor positions = random(scope, 2, 7, width);
        Tensor dout = random(scope, 3, 2, 3, width);
        for (int none : new int[] {7, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
          int[] ids = {0, 6, 1, 3, none, 5};
          EmbeddingLookupCall call = EmbeddingLookup.create().call(table, table2(scope, 4));
          call.positions(positions);
          float[] out = call.forward(scope).toFloatArray();
          Arrays.fill(out, 4 * width, 5 * width, Float.NaN);
          EmbeddingLookupCall byId = EmbeddingLookup.create().call(table, scope.copyOf(ids, 2, 3));
          assertArrayEquals(out, byId.positions(positions).forward(scope).toFloatArray());
          float[] expected = sums(ids, dout.toFloatArray(), 7, -1, 1);
          assertArrayEquals(expected, byId.gradients(dout).backward(scope).toFloatArray());
          EmbeddingLookupCall byPosition = EmbeddingLookup.create().call(table, table2(scope, 4));
          byPosition.positions(positions).positionIds(scope.copyOf(ids, 2, 3));
          float[] rows = byPosition.forward(scope).toFloatArray();
          for (int i = 0; i < rows.length; i++) {
            assertEquals(i / width == 4, Float.isNaN(rows[i]));
          }
          Tensor dpositions = scope.allocate(DType.FLOAT32, 7, width).fill(Float.NaN);
          byPosition.gradients(dout).dpositions(dpositions).run();
          assertArrayEquals(expected, dpositions.toFloatArray());
        }
      }
    }
  }

  private static Tensor table2(Scope scope, int fifth) {
    return scope.copyOf(new int[] {0, 6, 1, 3, fifth, 5}, 2, 3);
  }

  /** Rows of a table, tokens or sequences that are more than 2^31 elements apart. */
  @OnEveryDevice
  void strides(TestDevice on) {
    long step = (1L << 31) + 5;
    try (Scope scope = Scope.open();
        GuardedMemory far = GuardedMemory.sparse(4 * (2 * step + 16));
        GuardedMemory farOut = GuardedMemory.sparse(4 * (2 * step + 16))) {
      for (int width : new int[] {8, 7}) {
        Tensor table = random(scope, 1, 3, width).on(on.device());
        Tensor ids = scope.copyOf(new int[] {2, 0, 2, 1, 1, 2}, 2, 3).on(on.device());
        EmbeddingLookup lookup = EmbeddingLookup.create().scale(3);
        EmbeddingLookupCall near = lookup.call(table, ids);
        Tensor out = scope.allocate(DType.FLOAT32, 2, 3, width).on(on.device());
        near.out(out).run();
        Tensor dtable = scope.allocate(DType.FLOAT32, 3, width).on(on.device());
        near.gradients(out).dtable(dtable).run();
        Tensor farTable =
            Tensor.of(far.segment(), DType.FLOAT32, new long[] {3, width}, new long[] {step, 1});
        farTable.copyFrom(table.toFloatArray());
        for (long[] apart : new long[][] {{step, width, 1}, {width, step, 1}}) {
          long[] shape = {2, apart[0] == step ? 3 : 2, width};
          Tensor some = apart[0] == step ? ids : ids.slice(1, 0, 2);
          Tensor right = apart[0] == step ? out : out.slice(1, 0, 2);
          Tensor to = Tensor.of(farOut.segment(), DType.FLOAT32, shape, apart).on(on.device());
          lookup.call(farTable.on(on.device()), some).out(to).run();
          assertArrayEquals(right.toFloatArray(), to.toFloatArray());
          lookup.call(table, some).gradients(right).dtable(dtable).run();
          float[] expected = dtable.toFloatArray();
          lookup.call(table, some).gradients(to).dtable(farTable.on(on.device())).run();
          assertArrayEquals(expected, farTable.toFloatArray());
          farTable.copyFrom(table.toFloatArray());
        }
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor table = random(scope, 1, 4, 6);
      for (long[] shape : new long[][] {{0, 5}, {2, 0}}) {
        EmbeddingLookupCall none =
            EmbeddingLookup.create().call(table, scope.allocate(DType.INT32, shape));
        Tensor out = none.forward(scope);
        assertArrayEquals(new long[] {shape[0], shape[1], 6}, out.shape());
        Tensor dtable = scope.allocate(DType.FLOAT32, 4, 6).fill(3);
        none.gradients(out).dtable(dtable).accumulate(true).run();
        assertEquals(3, dtable.getFloat(3, 5));
        none.gradients(out).dtable(dtable).run();
        assertArrayEquals(new float[24], dtable.toFloatArray());
        Tensor positions = random(scope, 2, 5, 6);
        Tensor dpositions = scope.allocate(DType.FLOAT32, 5, 6).fill(3);
        none.positions(positions).gradients(out).dtable(dtable).dpositions(dpositions).run();
        assertArrayEquals(new float[30], dpositions.toFloatArray());
      }
      EmbeddingLookupCall rowless =
          EmbeddingLookup.create()
              .call(table, scope.allocate(DType.INT32, 2, 0))
              .positions(scope.allocate(DType.FLOAT32, 0, 6))
              .positionIds(scope.allocate(DType.INT32, 1, 0));
      Tensor out = rowless.forward(scope);
      rowless.gradients(out).dpositions(scope.allocate(DType.FLOAT32, 0, 6)).run();
    }
  }

  @Test
  void whatIsWrittenSharesNothing() {
    try (Scope scope = Scope.open()) {
      Tensor table = random(scope, 1, 6, 8);
      Tensor dout = random(scope, 2, 2, 3, 8);
      Tensor ids = scope.copyOf(new int[6], 2, 3);
      EmbeddingLookupCall call = EmbeddingLookup.create().call(table, ids);
      refused("out shares memory with table", () -> call.out(table.reshape(2, 3, 8)).run());
      refused("dtable shares memory with table", () -> call.gradients(dout).dtable(table).run());
      Tensor over = dout.reshape(6, 8);
      refused("dtable shares memory with dout", () -> call.gradients(dout).dtable(over).run());
      Tensor gradient = random(scope, 3, 6, 8);
      call.positions(random(scope, 4, 6, 8));
      refused(
          "dtable shares memory with dpositions",
          () -> call.gradients(dout).dtable(gradient).dpositions(gradient).run());
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor table = random(scope, 1, 6, 8);
      Tensor ids = scope.copyOf(new int[6], 2, 3);
      EmbeddingLookup lookup = EmbeddingLookup.create();
      refused(
          "expected [V, D] and [B, S]",
          () -> lookup.call(table, scope.copyOf(new int[6], 6)).forward(scope));
      refused("ids is FLOAT32, expected INT32", () -> lookup.call(table, table).forward(scope));
      refused(
          "positions has shape [3, 7], expected [P, D] = [any, 8]",
          () -> lookup.call(table, ids).positions(random(scope, 2, 3, 7)).forward(scope));
      refused(
          "ositionCount",
          () -> lookup.call(table, ids).positions(random(scope, 2, 2, 8)).forward(scope));
      refused(
          "ositionIds is given without positions",
          () -> lookup.call(table, ids).positionIds(ids).forward(scope));
      refused(
          "positions is BFLOAT16, expected FLOAT32",
          () ->
              lookup
                  .call(table, ids)
                  .positions(scope.allocate(DType.BFLOAT16, 3, 8))
                  .forward(scope));
      refused(
          "dpositions is set, but the call has no positions",
          () ->
              lookup
                  .call(table, ids)
                  .gradients(random(scope, 3, 2, 3, 8))
                  .dpositions(random(scope, 4, 3, 8))
                  .run());
      refused(
          "padding is 6, expected less than vocabulary, which is 6",
          () -> lookup.padding(6).forward(scope, table, ids));
      refused(
          "width is 65537, expected 1 to 65536",
          () -> lookup.forward(scope, random(scope, 5, 1, 65537), ids));
      refused("outDType is INT32, expected a floating type", () -> lookup.outDType(DType.INT32));
      assertThrows(IllegalStateException.class, () -> lookup.call(table, ids).run());
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }
}

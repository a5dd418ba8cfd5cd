package dev.fovea.testkit.merge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Merge;
import dev.fovea.MergeCall;
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
import dev.fovea.testkit.merge.MergeCase.Content;
import dev.fovea.testkit.merge.MergeCase.Lses;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What holds beyond one case: every width of a row, every number of parts, bits. */
class MergeConformanceTest {

  private static final int[] WIDTHS = {
    1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 72, 127, 128, 129, 255, 256, 264,
    504, 511, 512
  };

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

  /** Rows that begin where vectors are aligned or not; types that differ. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int width : WIDTHS) {
      for (DType type : TestDevice.TYPES) {
        for (int apart : APART) {
          seed++;
          Style gaps = Style.gaps(Order.values()[seed % 4], apart, apart, 0, apart, apart);
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .outDType(seed % 4 == 0 ? TestDevice.TYPES.get(seed % 3) : type)
                  .sizes(2, 1 + seed % 7, 3, 2, width)
                  .lses(Lses.values()[seed % 6], seed % 3 == 0)
                  .content(Content.NORMAL, seed)
                  .styles(new PartStyle(gaps, seed % 5 == 0, apart, false), gaps)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END)
                  .lse();
          failed.check(c.build());
        }
      }
    }
    failed.orPass();
  }

  /** For each operand alone: rows a multiple of 16 bytes apart that begin anywhere, or are not. */
  @OnEveryGroup
  void everyPlaceOfAnOperand(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (DType type : TestDevice.TYPES) {
      for (int offset : new int[] {0, 1, 2, 4, 8}) {
        for (int gap : new int[] {0, 1, 4, 8}) {
          Style moved = Style.gaps(Order.DENSE, offset, 0, 0, 0, gap);
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .sizes(2, 3, 5, 2, 24)
                  .content(Content.NORMAL, ++seed)
                  .sinks()
                  .lse();
          failed.check(c.styles(PartStyle.DENSE, moved).build());
          failed.check(c.styles(new PartStyle(moved, false, 0, false), Style.DENSE).build());
          c.styles(new PartStyle(Style.DENSE, false, gap, false), Style.DENSE);
          MatrixStyle ofAll = new MatrixStyle(seed % 2 == 0, offset, gap, gap, false);
          failed.check(c.lseStyles(moved, ofAll).build());
        }
      }
    }
    failed.orPass();
  }

  /** Around what is read side by side, and what lanes of a warp have; heads or positions inside. */
  @OnEveryGroup
  void everyNumberOfParts(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    for (int parts = 1; parts <= 70; parts++) {
      Order order = parts % 2 == 0 ? Order.DENSE : Order.SWAPPED;
      CaseBuilder c =
          new CaseBuilder()
              .dtype(TestDevice.TYPES.get(parts % 3))
              .sizes(1, parts, 9, 3, parts % 4 == 0 ? 64 : 16)
              .lses(Lses.values()[parts % 6], parts % 5 == 0)
              .content(Content.NORMAL, parts)
              .styles(new PartStyle(Style.ordered(order), false, 0, false), Style.ordered(order))
              .lse();
      failed.check(parts % 3 == 0 ? c.sinks().build() : c.build());
    }
    failed.orPass();
  }

  /** Tiles of rows that are full, have one more, or one less; many heads. */
  @OnEveryGroup
  void everyNumberOfRows(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int heads : new int[] {1, 3, 15, 16, 17, 127, 128, 129, 130}) {
      for (int length : new int[] {1, 7, 8, 9, 15, 16, 17, 41, 127, 128, 129}) {
        if (heads * length > 2100) {
          continue;
        }
        Order order = ++seed % 2 == 0 ? Order.DENSE : Order.SWAPPED;
        CaseBuilder c =
            new CaseBuilder()
                .sizes(1, 1 + seed % 6, length, heads, seed % 3 == 0 ? 20 : 8)
                .content(Content.NORMAL, seed)
                .styles(new PartStyle(Style.ordered(order), false, 0, false), Style.ordered(order))
                .parallelism(1 + seed % 3)
                .sinks()
                .lse();
        failed.check(c.build());
      }
    }
    failed.orPass();
  }

  /** One position of each of many sequences, as of a decoder. */
  @OnEveryGroup
  void everyNumberOfSequences(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int heads : new int[] {1, 3, 17, 33}) {
      for (int batch : new int[] {2, 7, 8, 9, 15, 16, 17, 33, 65}) {
        Order order = Order.values()[++seed % 4];
        CaseBuilder c =
            new CaseBuilder()
                .dtype(TestDevice.TYPES.get(seed % 3))
                .sizes(batch, 1 + seed % 9, 1, heads, seed % 3 == 0 ? 12 : 8)
                .lses(Lses.values()[seed % 6], seed % 2 == 0)
                .content(Content.NORMAL, seed)
                .styles(new PartStyle(Style.ordered(order), false, 0, false), Style.ordered(order))
                .lseStyles(Style.ordered(order), new MatrixStyle(seed % 2 == 0, 0, 0, 0, false))
                .sinks()
                .lse();
        failed.check(c.build());
      }
    }
    failed.orPass();
  }

  /** One part is all there is: its bits, rounded where out is narrower. */
  @OnEveryDevice
  void onePartIsCopied(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (int width : new int[] {64, 13}) {
        Tensor outs = random(scope, 1, 1, 2, 7, 3, width);
        Tensor lses = random(scope, 2, 1, 2, 3, 7);
        Tensor lse = scope.allocate(DType.FLOAT32, 2, 3, 7);
        Tensor out = Merge.create().call(outs, lses).lse(lse).forward(scope);
        assertArrayEquals(outs.toFloatArray(), out.toFloatArray());
        assertArrayEquals(lses.toFloatArray(), lse.toFloatArray());
        Tensor narrow = Merge.create().outDType(DType.BFLOAT16).forward(scope, outs, lses);
        assertArrayEquals(out.to(scope, DType.BFLOAT16).toFloatArray(), narrow.toFloatArray());
      }
    }
  }

  /** A row has the same bits alone, wherever it lies, and whatever threads share the rows. */
  @OnEveryDevice
  void bitsOfARow(TestDevice on) {
    int length = on.size(301, 21);
    try (Scope scope = Scope.open(on.device())) {
      for (int parts : new int[] {2, 7, 45}) {
        Tensor outs = random(scope, parts, parts, 2, length, 3, 40);
        Tensor lses = random(scope, parts + 1, parts, 2, 3, length);
        Tensor sinks = random(scope, parts + 2, 3);
        Tensor lse = scope.allocate(DType.FLOAT32, 2, 3, length);
        MergeCall call = Merge.create().call(outs, lses).sinks(sinks).lse(lse);
        Tensor out = call.parallelism(3).forward(scope);
        float[] all = out.toFloatArray();
        float[] allLse = lse.toFloatArray();
        assertArrayEquals(all, call.parallelism(1).forward(scope).toFloatArray());
        // Neither whole packets nor neighbours of heads.
        Tensor apart = scope.allocate(DType.FLOAT32, parts, 2, 3, length, 41);
        Tensor moved = apart.slice(4, 1, 41).permute(0, 1, 3, 2, 4);
        moved.copyFrom(outs.toFloatArray());
        assertArrayEquals(
            all, Merge.create().call(moved, lses).sinks(sinks).forward(scope).toFloatArray());
        int row = length / 2;
        Tensor one = scope.allocate(DType.FLOAT32, 1, 1, 1);
        Tensor alone =
            Merge.create()
                .call(
                    outs.slice(1, 1, 2).slice(2, row, row + 1).slice(3, 2, 3),
                    lses.slice(1, 1, 2).slice(2, 2, 3).slice(3, row, row + 1))
                .sinks(sinks.slice(0, 2, 3))
                .lse(one)
                .forward(scope);
        int at = ((length + row) * 3 + 2) * 40;
        float[] got = alone.toFloatArray();
        for (int e = 0; e < got.length; e++) {
          assertEquals(all[at + e], got[e]);
        }
        assertEquals(allLse[(3 + 2) * length + row], one.getFloat(0, 0, 0));
      }
    }
  }

  /** What is large may go past the caches, in whole lines: an out of 32 MiB and more. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void bitsDoNotDependOnTheSize(DType type) {
    int width = 64;
    int length = (32 << 20) / (2 * width * type.byteSize()) + 3;
    try (Scope scope = Scope.open()) {
      Tensor some = random(scope, 1, 2, 1, 100, 2, width).to(scope, type);
      Tensor lses = random(scope, 2, 2, 1, 2, 100);
      Tensor right = Merge.create().forward(scope, some, lses);
      Tensor outs = scope.allocate(type, 2, 1, length, 2, width);
      Tensor all = scope.allocate(DType.FLOAT32, 2, 1, 2, length);
      for (int from = 0; from < length; from += 100) {
        int to = Math.min(from + 100, length);
        outs.slice(2, from, to).copyFrom(some.slice(2, 0, to - from));
        all.slice(3, from, to).copyFrom(lses.slice(3, 0, to - from));
      }
      for (int gap : new int[] {0, 3}) { // whole lines or not
        Tensor memory = scope.allocate(type, 1, length, 2, width + gap).fill(7);
        Tensor out = memory.slice(3, 0, width);
        Merge.create().call(outs, all).out(out).parallelism(2).run();
        for (int from : new int[] {0, 100, length / 100 * 100}) {
          int to = Math.min(from + 100, length);
          assertArrayEquals(
              right.slice(1, 0, to - from).toFloatArray(), out.slice(1, from, to).toFloatArray());
        }
        assertTrue(gap == 0 || memory.getFloat(0, length - 1, 1, width + 1) == 7);
      }
    }
  }

  /** Parts, sequences or positions that are more than 2^31 elements apart. */
  @OnEveryDevice
  void strides(TestDevice on) {
    long step = (1L << 31) + 5;
    try (Scope scope = Scope.open();
        GuardedMemory far = GuardedMemory.sparse(4 * (step + 256));
        GuardedMemory farLses = GuardedMemory.sparse(4 * (step + 256));
        GuardedMemory farOut = GuardedMemory.sparse(4 * (step + 256))) {
      for (int width : new int[] {8, 7}) {
        Tensor outs = random(scope, 1, 2, 2, 2, 3, width);
        Tensor lses = random(scope, 2, 2, 2, 3, 2);
        Merge merge = Merge.create();
        Tensor lse = scope.allocate(DType.FLOAT32, 2, 3, 2).on(on.device());
        Tensor to = scope.allocate(DType.FLOAT32, 2, 2, 3, width).on(on.device());
        merge.call(outs.on(on.device()), lses.on(on.device())).lse(lse).out(to).run();
        long row = 3L * width;
        long[] shape = {2, 2, 2, 3, width};
        long[][] apart = {
          {step, 2 * row, row, width, 1},
          {2 * row, step, row, width, 1},
          {2 * row, row, step, width, 1}
        };
        long[][] lsesApart = {{step, 6, 2, 1}, {6, step, 2, 1}, {6, 12, 2, 1}};
        for (int which = 0; which < apart.length; which++) {
          Tensor farOuts = Tensor.of(far.segment(), DType.FLOAT32, shape, apart[which]);
          farOuts.copyFrom(outs.toFloatArray());
          long[] ofLses = {2, 2, 3, 2};
          Tensor farther = Tensor.of(farLses.segment(), DType.FLOAT32, ofLses, lsesApart[which]);
          farther.copyFrom(lses.toFloatArray());
          long[] outApart =
              which == 1 ? new long[] {step, row, width, 1} : new long[] {row, step, width, 1};
          Tensor out =
              Tensor.of(farOut.segment(), DType.FLOAT32, new long[] {2, 2, 3, width}, outApart);
          merge
              .call(farOuts.on(on.device()), farther.on(on.device()))
              .out(out.on(on.device()))
              .run();
          assertArrayEquals(to.toFloatArray(), out.toFloatArray());
        }
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (int[] size : new int[][] {{0, 5}, {3, 0}, {0, 0}}) {
        Tensor outs = scope.allocate(DType.FLOAT32, 2, size[0], size[1], 3, 8);
        Tensor lses = scope.allocate(DType.FLOAT32, 2, size[0], 3, size[1]);
        Tensor lse = scope.allocate(DType.FLOAT32, size[0], 3, size[1]);
        Tensor out = Merge.create().call(outs, lses).lse(lse).forward(scope);
        assertArrayEquals(new long[] {size[0], size[1], 3, 8}, out.shape());
      }
    }
  }
}

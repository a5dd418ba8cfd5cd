package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.Arrays;
import java.util.function.Consumer;

/** What must not change a single bit: threads, neighbours, layouts, the way heads are shared. */
class InvarianceConformanceTest {

  /** The bits of out for row (b, i, h), then its lse: what the row computes. */
  private static int[] row(CaseRun run, AttentionCase c, int b, int i, int h) {
    Geometry g = c.geometry();
    DType type = c.options().outDType();
    int at = c.rowIndex(c.layouts().out(), g.cuQ(), b, i, h);
    int[] out = Rounding.bits(run.out(), type, at, g.valueHeadDim());
    int[] bits = Arrays.copyOf(out, out.length + 1);
    bits[out.length] = Rounding.bits(run.lse(), DType.FLOAT32, c.lseIndex(g.cuQ(), b, h, i), 1)[0];
    return bits;
  }

  @OnEveryDevice
  void anyNumberOfThreads(TestDevice on) {
    on.assumeCpu("a device has threads of its own, see aDeviceIsOneCall");
    Device device = on.device();
    try (AnyThreads threads = new AnyThreads()) {
      for (int n = 0; n < 12; n++) {
        // The second half is decoding: few queries, many keys.
        CaseBuilder builder =
            new CaseBuilder()
                .dtype(TestDevice.TYPES.get(n % 3))
                .lengths(2, n < 6 ? 150 : 1 + n % 2, n < 6 ? 300 : 1900)
                .heads(4, 2)
                .headDim(64)
                .content(Content.NORMAL, n);
        if (n % 2 == 0) {
          builder.causal().dropout(0.1f, n, 1);
        }
        if (n % 4 == 1) {
          builder.bias(Bias.FULL, DType.FLOAT32).sinks().outputs(true, true);
        }
        AttentionCase c = builder.build();
        try (CaseRun run = new CaseRun(c, Operands.of(c), device)) {
          threads.check(c, run.call(), () -> run.run().outputBytes());
        }
      }
      threads.assertShared();
    }
  }

  /** Keys before those that the first query's window reaches: NaN, or not. */
  @OnEveryDevice
  void keysBeforeEveryWindow(TestDevice on) {
    on.assumeCpu("tiles of a GPU multiply zeros by what is there");
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {1, 3, 24}) {
        // The first key that is seen is an odd one, or an even one.
        for (int left : new int[] {6, 7}) {
          CaseBuilder base = new CaseBuilder().dtype(type).lengths(1, queries, 70).headDim(32);
          AttentionCase c = base.causal().window(left, -1).build();
          int unseen = (70 - queries - left) * 32;
          Operands data = Operands.of(c);
          float[] key = data.key().clone();
          float[] value = data.value().clone();
          Arrays.fill(key, 0, unseen, Float.NaN);
          Arrays.fill(value, 0, unseen, Float.NaN);
          Operands evicted = new Operands(data.query(), key, value, null, null, null);
          try (CaseRun a = new CaseRun(c, data, device);
              CaseRun b = new CaseRun(c, evicted, device)) {
            a.run();
            b.run();
            for (int i = 0; i < queries; i++) {
              assertArrayEquals(row(a, c, 0, i, 0), row(b, c, 0, i, 0), c + " row " + i);
            }
          }
        }
      }
    }
  }

  /** A device does all items of a phase in one call: no executor is asked to help. */
  @OnEveryDevice
  void aDeviceIsOneCall(TestDevice on) {
    assumeFalse(on.isCpu(), "the CPU shares items among threads, see anyNumberOfThreads");
    AttentionCase c = new CaseBuilder().lengths(2, 150, 300).heads(4, 2).headDim(64).build();
    Operands data = Operands.of(c);
    try (CaseRun run = new CaseRun(c, data, on.device())) {
      run.call().executor(task -> fail("a helper was asked for")).parallelism(8);
      assertNull(run.run().compare(Oracle.run(c, data, Precision.of(on.name()))));
    }
  }

  /** Allowing TF32 changes float32 on a device that has it, and nothing else. */
  @OnEveryDevice
  void tf32IsForFloat32OnADevice(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(1, 40, 70).headDim(32);
      AttentionCase not = base.build();
      AttentionCase allowed = base.allowTf32().build();
      Operands data = Operands.of(not);
      try (CaseRun a = new CaseRun(not, data, device);
          CaseRun b = new CaseRun(allowed, data, device)) {
        boolean same = Arrays.equals(a.run().outputBytes(), b.run().outputBytes());
        assertEquals(on.isCpu() || type != DType.FLOAT32, same, allowed.toString());
      }
    }
  }

  /** The first sequence with others of other lengths beside it. */
  @OnEveryDevice
  void lengthsOfOthers(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base =
          new CaseBuilder().dtype(type).lengths(3, 60, 200).heads(4, 2).headDim(64).causal();
      AttentionCase one = base.ragged(new int[] {50, 60, 7}, new int[] {130, 200, 64}).build();
      AttentionCase two = base.ragged(new int[] {50, 0, 33}, new int[] {130, 0, 199}).build();
      try (CaseRun a = new CaseRun(one, Operands.of(one), device);
          CaseRun b = new CaseRun(two, Operands.of(two), device)) {
        a.run();
        b.run();
        for (int i = 0; i < 50; i++) {
          for (int h = 0; h < 4; h++) {
            assertArrayEquals(row(a, one, 0, i, h), row(b, two, 0, i, h), two + " row " + i);
          }
        }
      }
    }
  }

  /**
   * Sequence 1 of some against the same sequence alone: the plan of a batch may have larger tiles,
   * and the last rows of a small one, two of these 50, may be few.
   */
  @OnEveryDevice
  void neighboursInTheBatch(TestDevice on) {
    Device device = on.device();
    int batch = on.size(8, 3);
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {60, 25}) {
        Consumer<CaseBuilder> options =
            b -> b.dtype(type).heads(4, 2).headDim(48).causal().alibi(Alibi.PER_HEAD).softcap(9);
        CaseBuilder several = new CaseBuilder().lengths(batch, queries, 130);
        options.accept(several);
        AttentionCase whole = several.build();
        CaseBuilder one = new CaseBuilder().lengths(1, queries, 130);
        options.accept(one);
        AttentionCase lone = one.build();
        Operands all = Operands.of(whole);
        Operands alone =
            new Operands(
                part(all.query(), batch, 1),
                part(all.key(), batch, 1),
                part(all.value(), batch, 1),
                null,
                all.alibi(),
                null);
        try (CaseRun together = new CaseRun(whole, all, device);
            CaseRun apart = new CaseRun(lone, alone, device)) {
          together.run();
          apart.run();
          for (int i = 0; i < queries; i++) {
            for (int h = 0; h < 4; h++) {
              assertArrayEquals(
                  row(apart, lone, 0, i, h), row(together, whole, 1, i, h), whole + " row " + i);
            }
          }
        }
      }
    }
  }

  private static float[] part(float[] whole, int parts, int index) {
    int size = whole.length / parts;
    return Arrays.copyOfRange(whole, index * size, (index + 1) * size);
  }

  /**
   * The last query of many against the same query alone, with the same keys: prefill and decode.
   */
  @OnEveryDevice
  void neighboursInTheSequence(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {2, 17, 64, 130}) {
        AttentionCase many =
            new CaseBuilder().dtype(type).lengths(1, queries, 200).heads(3, 1).headDim(64).build();
        AttentionCase one =
            new CaseBuilder().dtype(type).lengths(1, 1, 200).heads(3, 1).headDim(64).build();
        Operands all = Operands.of(many);
        float[] last = Arrays.copyOfRange(all.query(), (queries - 1) * 192, queries * 192);
        Operands alone = new Operands(last, all.key(), all.value(), null, null, null);
        try (CaseRun runMany = new CaseRun(many, all, device);
            CaseRun runOne = new CaseRun(one, alone, device)) {
          runMany.run();
          runOne.run();
          for (int h = 0; h < 3; h++) {
            assertArrayEquals(
                row(runOne, one, 0, 0, h), row(runMany, many, 0, queries - 1, h), many.toString());
          }
        }
      }
    }
  }

  /** The same sequences packed, and padded with lengths; padding is NaN. */
  @OnEveryDevice
  void packedAndPadded(TestDevice on) {
    Device device = on.device();
    int[] queries = {33, 0, 70, 5};
    int[] keys = {90, 12, 70, 0};
    for (DType type : TestDevice.TYPES) {
      for (boolean causal : new boolean[] {false, true}) {
        CaseBuilder a = new CaseBuilder().dtype(type).heads(4, 2).headDim(40).packed(queries, keys);
        CaseBuilder b =
            new CaseBuilder()
                .dtype(type)
                .heads(4, 2)
                .headDim(40)
                .lengths(4, 80, 100)
                .ragged(queries, keys);
        if (causal) {
          a.causal();
          b.causal();
        }
        AttentionCase packed = a.build();
        AttentionCase padded = b.build();
        Operands dense = Operands.of(packed);
        Operands spread =
            new Operands(
                spread(dense.query(), queries, 80, 160),
                spread(dense.key(), keys, 100, 80),
                spread(dense.value(), keys, 100, 80),
                null,
                null,
                null);
        try (CaseRun runPacked = new CaseRun(packed, dense, device);
            CaseRun runPadded = new CaseRun(padded, spread, device)) {
          runPacked.run();
          runPadded.run();
          for (int s = 0; s < 4; s++) {
            for (int i = 0; i < queries[s]; i++) {
              for (int h = 0; h < 4; h++) {
                assertArrayEquals(
                    row(runPacked, packed, s, i, h),
                    row(runPadded, padded, s, i, h),
                    packed + " sequence " + s + " row " + i);
              }
            }
          }
        }
      }
    }
  }

  /** Packed rows with padding of NaN behind every sequence. */
  static float[] spread(float[] packed, int[] lengths, int rows, int width) {
    float[] padded = new float[lengths.length * rows * width];
    Arrays.fill(padded, Float.NaN);
    int from = 0;
    for (int b = 0; b < lengths.length; b++) {
      System.arraycopy(packed, from, padded, b * rows * width, lengths[b] * width);
      from += lengths[b] * width;
    }
    return padded;
  }

  /** Shared key heads against the same heads written out, and against heads of stride 0. */
  @OnEveryDevice
  void groupedAndRepeatedHeads(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(2, 50, 90).headDim(64).causal();
      AttentionCase grouped = base.heads(6, 1).build();
      AttentionCase repeated = base.heads(6, 6).build();
      Style shared = Style.DENSE.withBroadcast(2);
      AttentionCase strided = base.styles(Style.DENSE, shared, shared, Style.DENSE).build();
      Operands data = Operands.of(grouped);
      Operands written =
          new Operands(
              data.query(),
              repeat(data.key(), 64, 6),
              repeat(data.value(), 64, 6),
              null,
              null,
              null);
      // With heads of stride 0 the rows of strided layouts are six heads apart.
      float[] keys = data.key();
      try (CaseRun a = new CaseRun(grouped, data, device);
          CaseRun b = new CaseRun(repeated, written, device);
          CaseRun c = new CaseRun(strided, spaced(data, keys, strided), device)) {
        byte[] bytes = a.run().outputBytes();
        assertArrayEquals(bytes, b.run().outputBytes(), "repeated heads, " + type);
        assertArrayEquals(bytes, c.run().outputBytes(), "heads of stride 0, " + type);
      }
    }
  }

  private static float[] repeat(float[] rows, int width, int times) {
    float[] all = new float[rows.length * times];
    for (int r = 0; r < rows.length / width; r++) {
      for (int t = 0; t < times; t++) {
        System.arraycopy(rows, r * width, all, (r * times + t) * width, width);
      }
    }
    return all;
  }

  private static Operands spaced(Operands data, float[] keys, AttentionCase strided) {
    Layout layout = strided.layouts().key();
    float[] k = new float[layout.elements()];
    float[] v = new float[layout.elements()];
    Arrays.fill(k, Float.NaN);
    Arrays.fill(v, Float.NaN);
    for (int b = 0; b < 2; b++) {
      for (int j = 0; j < 90; j++) {
        System.arraycopy(keys, (b * 90 + j) * 64, k, layout.at(b, j, 0), 64);
        System.arraycopy(data.value(), (b * 90 + j) * 64, v, layout.at(b, j, 0), 64);
      }
    }
    return new Operands(data.query(), k, v, null, null, null);
  }

  @OnEveryDevice
  void layouts(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(2, 40, 70).heads(4, 2).headDim(33);
      AttentionCase plain = base.build();
      Style gaps = Style.gaps(Order.HEADS_FIRST, 3, 5, 1, 2, 7);
      Style swapped = Style.ordered(Order.SWAPPED);
      AttentionCase other = base.styles(swapped, gaps, swapped, gaps).build();
      Operands data = Operands.of(plain);
      Operands moved =
          new Operands(
              move(data.query(), plain.layouts().query(), other.layouts().query()),
              move(data.key(), plain.layouts().key(), other.layouts().key()),
              move(data.value(), plain.layouts().value(), other.layouts().value()),
              null,
              null,
              null);
      try (CaseRun a = new CaseRun(plain, data, device);
          CaseRun b = new CaseRun(other, moved, device)) {
        a.run();
        b.run();
        for (int s = 0; s < 2; s++) {
          for (int i = 0; i < 40; i++) {
            for (int h = 0; h < 4; h++) {
              assertArrayEquals(row(a, plain, s, i, h), row(b, other, s, i, h), other.toString());
            }
          }
        }
      }
    }
  }

  /** The same elements elsewhere, NaN between them. */
  static float[] move(float[] values, Layout from, Layout to) {
    float[] moved = new float[to.elements()];
    Arrays.fill(moved, Float.NaN);
    for (int a = 0; a < from.size()[0]; a++) {
      for (int b = 0; b < from.size()[1]; b++) {
        for (int c = 0; c < from.size()[2]; c++) {
          System.arraycopy(values, from.at(a, b, c), moved, to.at(a, b, c), (int) from.size()[3]);
        }
      }
    }
    return moved;
  }
}

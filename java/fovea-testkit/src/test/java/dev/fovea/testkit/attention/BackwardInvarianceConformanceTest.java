package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.Arrays;

/** What must not change a single bit of deterministic gradients: threads, neighbours, layouts. */
class BackwardInvarianceConformanceTest {

  private static BackwardCase deterministic(CaseBuilder forward) {
    return new BackwardBuilder(forward).deterministic().build();
  }

  /** A run of a case, by sequence. */
  private record Ran(BackwardCase c, BackwardRun run) {

    int[] dquery(int b, int i, int h) {
      Geometry g = c.forward().geometry();
      int at = c.forward().rowIndex(c.layouts().dquery(), g.cuQ(), b, i, h);
      return Rounding.bits(run.dquery(), c.dtype(), at, g.headDim());
    }

    int[] dkey(int b, int j, int h) {
      Geometry g = c.forward().geometry();
      int at = c.forward().rowIndex(c.layouts().dkey(), g.cuK(), b, j, h);
      return Rounding.bits(run.dkey(), c.dtype(), at, g.headDim());
    }

    int[] dvalue(int b, int j, int h) {
      Geometry g = c.forward().geometry();
      int at = c.forward().rowIndex(c.layouts().dvalue(), g.cuK(), b, j, h);
      return Rounding.bits(run.dvalue(), c.dtype(), at, g.valueHeadDim());
    }

    /** Sequence {@code mine} has the bits of sequence {@code its} of the other. */
    void assertSame(int mine, Ran other, int its) {
      Geometry g = c.forward().geometry();
      for (int i = 0; i < g.lenQ(mine); i++) {
        for (int h = 0; h < g.queryHeads(); h++) {
          String what = c + " query " + i + " of head " + h;
          assertArrayEquals(dquery(mine, i, h), other.dquery(its, i, h), what);
        }
      }
      for (int j = 0; j < g.lenK(mine); j++) {
        for (int h = 0; h < g.keyHeads(); h++) {
          String what = c + " key " + j + " of head " + h;
          assertArrayEquals(dkey(mine, j, h), other.dkey(its, j, h), what);
          assertArrayEquals(dvalue(mine, j, h), other.dvalue(its, j, h), what);
        }
      }
    }
  }

  @OnEveryDevice
  void anyNumberOfThreads(TestDevice on) {
    on.assumeCpu("a device has threads of its own");
    Device device = on.device();
    try (AnyThreads threads = new AnyThreads()) {
      for (int n = 0; n < 12; n++) {
        // The second half has few queries and many keys, or the other way round.
        int few = 1 + n % 2;
        int[] size =
            n < 6 ? new int[] {150, 300} : n < 9 ? new int[] {few, 1900} : new int[] {900, 7};
        CaseBuilder forward =
            new CaseBuilder()
                .dtype(TestDevice.TYPES.get(n % 3))
                .lengths(2, size[0], size[1])
                .heads(4, 2)
                .headDim(64)
                .content(Content.NORMAL, n);
        if (n % 2 == 0) {
          forward.causal().dropout(0.1f, n, 1);
        }
        if (n % 3 == 1) {
          forward.bias(n % 2 == 0 ? Bias.FULL : Bias.HEAD, DType.FLOAT32).sinks();
        }
        if (n % 4 == 1) {
          forward.alibi(Alibi.PER_BATCH_HEAD);
        }
        BackwardCase c = new BackwardBuilder(forward).build();
        try (BackwardRun run = new BackwardRun(c, BackwardOperands.of(c), device)) {
          threads.check(c, run.call(), () -> run.run().outputBytes());
        }
      }
      threads.assertShared();
    }
  }

  @OnEveryDevice
  void everyRun(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      CaseBuilder forward = new CaseBuilder().dtype(type).lengths(2, 130, 200).heads(2, 1);
      forward.headDim(64).causal().bias(Bias.KEY_ONLY, DType.FLOAT32).alibi(Alibi.PER_HEAD).sinks();
      BackwardCase c = deterministic(forward);
      BackwardOperands data = BackwardOperands.of(c);
      try (BackwardRun run = new BackwardRun(c, data, on.device())) {
        byte[] first = run.run().outputBytes();
        assertNull(run.compare(BackwardOracle.run(c, data, Precision.of(on.name()))));
        for (int n = 0; n < on.size(3, 1); n++) {
          assertArrayEquals(first, run.run().outputBytes(), c.toString());
        }
      }
    }
  }

  /** Whatever lies in workspace and scratch before a run, NaN here, has no part in it. */
  @OnEveryDevice
  void memoryOfARun(TestDevice on) {
    Device device = on.device();
    assumeTrue(Devices.backend(device).hostMemory(), on + " allocates where the host cannot write");
    Device poisoned = PoisonedDevice.of(device);
    for (int n = 0; n < on.size(40, 8); n++) {
      BackwardCase drawn = BackwardGenerator.generate(77, n, on.limits());
      BackwardCase c =
          new BackwardCase(
              drawn.forward(),
              drawn.dtype(),
              true,
              drawn.accumulate(),
              drawn.dsinks(),
              drawn.layouts());
      BackwardOperands data = BackwardOperands.of(c);
      try (BackwardRun clean = new BackwardRun(c, data, device);
          BackwardRun dirty = new BackwardRun(c, data, poisoned)) {
        assertArrayEquals(
            clean.run().outputBytes(), dirty.run().outputBytes(), c.repeat() + " " + c);
      }
    }
  }

  /** The first sequence with others of other lengths beside it. */
  @OnEveryDevice
  void lengthsOfOthers(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base =
          new CaseBuilder().dtype(type).lengths(3, 60, 200).heads(4, 2).headDim(64).causal();
      BackwardCase one =
          deterministic(base.ragged(new int[] {50, 60, 7}, new int[] {130, 200, 64}));
      BackwardCase two = deterministic(base.ragged(new int[] {50, 0, 33}, new int[] {130, 0, 199}));
      try (BackwardRun a = new BackwardRun(one, BackwardOperands.of(one), on.device());
          BackwardRun b = new BackwardRun(two, BackwardOperands.of(two), on.device())) {
        new Ran(one, a.run()).assertSame(0, new Ran(two, b.run()), 0);
      }
    }
  }

  /** Sequence 1 of three against the same sequence alone. */
  @OnEveryDevice
  void neighboursInTheBatch(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).heads(4, 2).headDim(48).causal();
      base.alibi(Alibi.PER_HEAD).softcap(9);
      BackwardCase three = deterministic(base.lengths(3, 60, 130));
      BackwardCase one = deterministic(base.lengths(1, 60, 130));
      BackwardOperands all = BackwardOperands.of(three);
      Operands forward = all.forward();
      Operands part =
          new Operands(
              middle(forward.query()),
              middle(forward.key()),
              middle(forward.value()),
              null,
              forward.alibi(),
              null);
      BackwardOperands alone =
          BackwardOperands.of(one.forward(), part, middle(all.dout()), null, null);
      try (BackwardRun run3 = new BackwardRun(three, all, on.device());
          BackwardRun run1 = new BackwardRun(one, alone, on.device())) {
        new Ran(one, run1.run()).assertSame(0, new Ran(three, run3.run()), 1);
      }
    }
  }

  /** Keys behind those that the last query sees, as the unwritten end of a buffer: NaN, or not. */
  @OnEveryDevice
  void keysThatNoQuerySees(TestDevice on) {
    on.assumeCpu("tiles of a GPU multiply zeros by what is there");
    int seen = 34;
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(1, seen, 70).headDim(32);
      BackwardCase c = deterministic(base.causal().topLeft());
      BackwardOperands data = BackwardOperands.of(c);
      Operands forward = data.forward();
      float[] key = forward.key().clone();
      float[] value = forward.value().clone();
      Arrays.fill(key, seen * 32, key.length, Float.NaN);
      Arrays.fill(value, seen * 32, value.length, Float.NaN);
      Operands unwritten = new Operands(forward.query(), key, value, null, null, null);
      BackwardOperands without =
          BackwardOperands.of(c.forward(), unwritten, data.dout(), null, null);
      try (BackwardRun a = new BackwardRun(c, data, on.device());
          BackwardRun b = new BackwardRun(c, without, on.device())) {
        new Ran(c, a.run()).assertSame(0, new Ran(c, b.run()), 0);
      }
    }
  }

  private static float[] middle(float[] threeParts) {
    int size = threeParts.length / 3;
    return Arrays.copyOfRange(threeParts, size, 2 * size);
  }

  /** The same sequences packed, and padded with lengths; padding is NaN. */
  @OnEveryDevice
  void packedAndPadded(TestDevice on) {
    int[] queries = {33, 0, 70, 5};
    int[] keys = {90, 12, 70, 0};
    for (DType type : TestDevice.TYPES) {
      CaseBuilder a = new CaseBuilder().dtype(type).heads(4, 2).headDim(40).packed(queries, keys);
      CaseBuilder b = new CaseBuilder().dtype(type).heads(4, 2).headDim(40);
      BackwardCase packed = deterministic(a.causal());
      BackwardCase padded = deterministic(b.causal().lengths(4, 80, 100).ragged(queries, keys));
      BackwardOperands dense = BackwardOperands.of(packed);
      Operands spread =
          new Operands(
              InvarianceConformanceTest.spread(dense.forward().query(), queries, 80, 160),
              InvarianceConformanceTest.spread(dense.forward().key(), keys, 100, 80),
              InvarianceConformanceTest.spread(dense.forward().value(), keys, 100, 80),
              null,
              null,
              null);
      float[] dout = InvarianceConformanceTest.spread(dense.dout(), queries, 80, 160);
      BackwardOperands wide = BackwardOperands.of(padded.forward(), spread, dout, null, null);
      try (BackwardRun runPacked = new BackwardRun(packed, dense, on.device());
          BackwardRun runPadded = new BackwardRun(padded, wide, on.device())) {
        Ran one = new Ran(packed, runPacked.run());
        Ran other = new Ran(padded, runPadded.run());
        for (int s = 0; s < 4; s++) {
          one.assertSame(s, other, s);
        }
      }
    }
  }

  @OnEveryDevice
  void layouts(TestDevice on) {
    Style gaps = Style.gaps(Order.HEADS_FIRST, 3, 5, 1, 2, 7);
    Style swapped = Style.ordered(Order.SWAPPED);
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(2, 40, 70).heads(4, 2).headDim(33);
      BackwardCase plain = deterministic(base);
      BackwardBuilder elsewhere = new BackwardBuilder(base.styles(swapped, gaps, swapped, gaps));
      BackwardCase other =
          elsewhere.deterministic().styles(gaps, swapped, gaps, swapped, gaps).build();
      BackwardOperands data = BackwardOperands.of(plain);
      AttentionCase.Layouts from = plain.forward().layouts();
      AttentionCase.Layouts to = other.forward().layouts();
      Operands forward = data.forward();
      Operands moved =
          new Operands(
              InvarianceConformanceTest.move(forward.query(), from.query(), to.query()),
              InvarianceConformanceTest.move(forward.key(), from.key(), to.key()),
              InvarianceConformanceTest.move(forward.value(), from.value(), to.value()),
              null,
              null,
              null);
      float[] dout =
          InvarianceConformanceTest.move(
              data.dout(), plain.layouts().dout(), other.layouts().dout());
      BackwardOperands there = BackwardOperands.of(other.forward(), moved, dout, null, null);
      try (BackwardRun a = new BackwardRun(plain, data, on.device());
          BackwardRun b = new BackwardRun(other, there, on.device())) {
        Ran one = new Ran(plain, a.run());
        Ran two = new Ran(other, b.run());
        one.assertSame(0, two, 0);
        one.assertSame(1, two, 1);
      }
    }
  }

  /** What is added to zeros is what replaces anything. */
  @OnEveryDevice
  void addingToZeros(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      CaseBuilder forward = new CaseBuilder().dtype(type).lengths(2, 40, 70).heads(4, 2);
      BackwardCase replaced = deterministic(forward.causal());
      BackwardCase added = new BackwardBuilder(forward).deterministic().accumulate().build();
      BackwardOperands data = BackwardOperands.of(replaced);
      float[] dkey = new float[added.layouts().dkey().elements()];
      float[] dvalue = new float[added.layouts().dvalue().elements()];
      BackwardOperands zeros =
          new BackwardOperands(data.forward(), data.dout(), data.out(), data.lse(), dkey, dvalue);
      try (BackwardRun a = new BackwardRun(replaced, data, on.device());
          BackwardRun b = new BackwardRun(added, zeros, on.device())) {
        assertArrayEquals(a.run().outputBytes(), b.run().outputBytes(), added.toString());
      }
    }
  }

  /** Gradients of float32 are exact, whatever the forward may do. */
  @OnEveryDevice
  void allowingTf32(TestDevice on) {
    for (DType type : TestDevice.TYPES) {
      CaseBuilder base = new CaseBuilder().dtype(type).lengths(1, 40, 70).headDim(32);
      BackwardCase not = deterministic(base);
      BackwardCase allowed = deterministic(base.allowTf32());
      BackwardOperands data = BackwardOperands.of(not);
      try (BackwardRun a = new BackwardRun(not, data, on.device());
          BackwardRun b = new BackwardRun(allowed, data, on.device())) {
        assertArrayEquals(a.run().outputBytes(), b.run().outputBytes(), allowed.toString());
      }
    }
  }
}

package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Cache.Scales;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.QueryScales;
import java.util.Arrays;
import java.util.function.LongFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Queries of e4m3: random cases, what must not change a bit, and what is refused. */
class Float8ConformanceTest {

  private static final double MOST_PRODUCTS = 3e6;

  /** Small ones of a sequence, as many as there are to be. */
  private static void check(TestGroup on, int cases, LongFunction<AttentionCase> generator) {
    Failed failed = new Failed(on.present(), 1);
    int checked = 0;
    for (long i = 0; checked < cases; i++) {
      AttentionCase c = generator.apply(i);
      Geometry g = c.geometry();
      double pairs = (double) c.visiblePairs() * g.queryHeads();
      if (c.options().isFloat8() && pairs * (g.headDim() + g.valueHeadDim()) < MOST_PRODUCTS) {
        failed.check(c);
        checked++;
      }
    }
    failed.orPass();
  }

  @OnEveryGroup
  void randomCases(TestGroup on) {
    check(on, on.size(40, 10), i -> CaseGenerator.generate(on.seed(), i, on.limits()));
  }

  @OnEveryGroup
  void randomCasesOfACache(TestGroup on) {
    check(on, on.size(60, 12), i -> DecodeGenerator.generate(on.seed(), i, on.limits()));
  }

  private static byte[] bytes(AttentionCase c, Operands data, Device device) {
    try (CaseRun run = new CaseRun(c, data, device)) {
      return run.run().outputBytes();
    }
  }

  private static CaseBuilder usual(Cache cache) {
    return new CaseBuilder()
        .float8(QueryScales.NONE, cache)
        .lengths(2, 5, 300)
        .ragged(null, new int[] {300, 77})
        .heads(6, 2)
        .headDim(48)
        .causal()
        .alibi(Alibi.PER_HEAD);
  }

  /** They are what they are in float16, in which products are where a cache lies in pages. */
  @OnEveryDevice
  void asTheSameValuesInFloat16(TestDevice on) {
    for (DType type : new DType[] {DType.FLOAT8_E4M3, DType.INT8, DType.FLOAT16}) {
      Style dense = Style.DENSE;
      Cache pages =
          new Cache(type, 16, 1, 0, Scales.NONE, false, false, false, dense, dense, dense, dense);
      CaseBuilder narrow = usual(pages);
      AttentionCase c = narrow.build();
      Operands data = Operands.of(c);
      AttentionCase wide = narrow.dtype(DType.FLOAT16).build();
      byte[] expected = bytes(wide, data, on.device());
      assertArrayEquals(expected, bytes(c, data, on.device()), c::toString);
    }
  }

  /** One of a power of two is as good as one of the scores. */
  @OnEveryDevice
  void aScaleOfQueriesIsOneOfScores(TestDevice on) {
    Cache rows = Cache.ofRows(DType.FLOAT8_E4M3, Scales.PAGE);
    for (boolean plain : new boolean[] {false, true}) {
      CaseBuilder builder = usual(rows).alibi(plain ? Alibi.NONE : Alibi.PER_HEAD);
      AttentionCase without = builder.scale(0.25f).build();
      Operands data = Operands.of(without);
      builder.queryScales = QueryScales.BATCH_HEAD;
      builder.queryScaleStyle = Style.gaps(Layout.Order.SWAPPED, 3, 1, 2, 0, 5);
      AttentionCase with = builder.scale(0.125f).build();
      float[] scales = new float[with.layouts().queryScales().elements()];
      Arrays.fill(scales, 2);
      Operands scaled =
          new Operands(
              data.query(),
              scales,
              data.key(),
              data.value(),
              data.cache(),
              data.positions(),
              null,
              null,
              null,
              null,
              null,
              null,
              data.alibi(),
              null,
              null,
              data.rows(),
              null);
      byte[] expected = bytes(without, data, on.device());
      assertArrayEquals(expected, bytes(with, scaled, on.device()), with::toString);
    }
  }

  /** At the edges of tiles of keys, and beyond those whose sums are one. */
  @Test
  void byWarpgroups() {
    Device device = PoisonedDevice.of(Device.byName("sim:sm_90"));
    int[][] lengths = {{63, 128}, {64, 129}, {129, 255}, {70, 513}, {130, 1025}};
    for (int i = 0; i < lengths.length; i++) {
      Scales scales = i % 2 == 0 ? Scales.PAGE : Scales.NONE;
      CaseBuilder c =
          new CaseBuilder()
              .float8(QueryScales.HEAD, Cache.ofRows(DType.FLOAT8_E4M3, scales))
              .lengths(1, lengths[i][0], lengths[i][1])
              .heads(2, i % 3 == 0 ? 2 : 1)
              .headDim(i < 3 ? 64 : 128)
              .outDType(i % 2 == 0 ? DType.BFLOAT16 : DType.FLOAT16)
              .content(Content.NORMAL, i);
      if (i % 2 == 0) {
        c.causal();
      }
      CheckedCase.Result result = c.build().check(device);
      assertNull(result.wrong(), c.build()::toString);
      String took = result.plan().kernel();
      assertTrue(took.startsWith("flash_cuda_sm90_e4m3_"), () -> took + " took " + c.build());
    }
  }

  private static void refused(
      Class<? extends RuntimeException> kind, String words, Executable action) {
    String message = assertThrows(kind, action).getMessage();
    assertTrue(message.contains(words), message);
  }

  @Test
  void whatIsRefused() {
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT8_E4M3, 2, 4, 6, 8);
      Tensor key = scope.allocate(DType.FLOAT8_E4M3, 2, 5, 3, 8);
      Tensor out = scope.allocate(DType.FLOAT32, 2, 4, 6, 8);
      refused(
          IllegalArgumentException.class,
          "query is FLOAT8_E4M3, which out is not: an outDType is missing",
          () -> Attention.create().call(query, key, key).out(out).run());
      Attention attention = Attention.builder().outDType(DType.FLOAT32).build();
      AttentionCall call = attention.call(query, key, key).out(out);
      call.queryScales(scope.allocate(DType.FLOAT32, 2, 3)).run();
      call.queryScales(scope.allocate(DType.FLOAT32, 1, 1)).run();
      refused(
          IllegalArgumentException.class,
          "queryScales has shape [2, 6], expected [B or 1, Hk or 1] = [2, 3]",
          () -> call.queryScales(scope.allocate(DType.FLOAT32, 2, 6)).run());
      refused(
          IllegalArgumentException.class,
          "queryScales is FLOAT16",
          () -> call.queryScales(scope.allocate(DType.FLOAT16, 2, 3)).run());
      call.queryScales(null);
      Tensor bias = scope.allocate(DType.FLOAT32, 6, 8);
      refused(
          UnsupportedOperationException.class,
          "contentBias does not go with queries of float8_e4m3",
          () -> attention.call(query, key, key).out(out).contentBias(bias).run());
      for (DType type : new DType[] {DType.FLOAT32, DType.FLOAT8_E4M3}) {
        Tensor positions = scope.allocate(type, 9, 6, 8);
        refused(
            IllegalArgumentException.class,
            "positionKeys",
            () -> attention.call(query, key, key).out(out).positionKeys(positions).run());
      }
      Tensor wide = scope.allocate(DType.FLOAT32, 2, 4, 6, 8);
      Tensor wideKey = scope.allocate(DType.FLOAT32, 2, 5, 3, 8);
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 6, 4);
      AttentionBackward backward = attention.call(query, key, key).gradients(wide, out, lse);
      refused(
          UnsupportedOperationException.class,
          "queries of float8_e4m3 have no backward pass",
          () -> backward.dquery(wide).dkey(wideKey).dvalue(wideKey).run());
      AttentionCall floats = attention.call(wide, wideKey, wideKey).out(out);
      refused(
          IllegalArgumentException.class,
          "queryScales are given, but dtype is",
          () -> floats.queryScales(scope.allocate(DType.FLOAT32, 2, 3)).run());
    }
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.ArrayList;
import java.util.List;

/** The fixed grid: sizes around the edges of tiles, all head dims, all pairs of features. */
class GridConformanceTest {

  private static final int[] SIZES = {
    0, 1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129,
    191, 192, 193, 255, 256, 257
  };
  private static final int[] HEAD_DIMS = {
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 59, 63, 64, 65, 72, 80, 96, 111,
    127, 128, 129, 160, 192, 255, 256, 257, 320, 333, 384, 511, 512
  };

  /** A case of every pair of sizes, every other one causal. */
  static List<CaseBuilder> pairsOfSizes(int[] sizes) {
    List<CaseBuilder> all = new ArrayList<>();
    for (int queries : sizes) {
      for (int keys : sizes) {
        int n = all.size() + 1;
        CaseBuilder builder =
            new CaseBuilder()
                .dtype(TestDevice.TYPES.get(n % 3))
                .lengths(1, queries, keys)
                .headDim(16)
                .content(Content.NORMAL, n)
                .guard(n % 2 == 0 ? Side.END : Side.BEGIN);
        all.add(n % 2 == 0 ? builder.causal() : builder);
      }
    }
    return all;
  }

  @OnEveryGroup
  void everyPairOfSizes(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    pairsOfSizes(SIZES).forEach(c -> failed.check(c.build()));
    failed.orPass();
  }

  @OnEveryGroup
  void everyHeadDim(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (DType type : TestDevice.TYPES) {
      for (int d : HEAD_DIMS) {
        CaseBuilder builder = new CaseBuilder().dtype(type).lengths(1, 26, 67).heads(2, 1).causal();
        failed.check(builder.headDim(d).build());
        failed.check(builder.headDim(d, 24).build());
        failed.check(builder.headDim(24, d).build());
      }
      failed.check(
          new CaseBuilder().dtype(type).lengths(2, 3, 67).heads(7, 1).headDim(576, 512).build());
    }
    failed.orPass();
  }

  @OnEveryGroup
  void groupsOfHeads(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (int group : new int[] {1, 2, 3, 4, 5, 7, 8, 16, 33}) {
      for (int queries : new int[] {1, 3, 24, on.size(50, 5)}) {
        CaseBuilder builder =
            new CaseBuilder().lengths(1, queries, 70).heads(2 * group, 2).headDim(32);
        failed.check(builder.build());
        failed.check(builder.causal().build());
      }
    }
    failed.orPass();
  }

  @OnEveryGroup
  void noSequencesQueriesOrKeys(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (int[] size : new int[][] {{0, 5, 5}, {3, 0, 5}, {3, 5, 0}, {3, 0, 0}, {0, 0, 0}}) {
      CaseBuilder builder = new CaseBuilder().lengths(size[0], size[1], size[2]).heads(2, 1);
      failed.check(builder.build());
      failed.check(builder.causal().sinks().outputs(true, true).build());
    }
    failed.check(new CaseBuilder().packed(new int[0], new int[0]).outputs(true, true).build());
    failed.check(new CaseBuilder().packed(new int[] {0, 0}, new int[] {0, 0}).build());
    failed.check(new CaseBuilder().packed(new int[] {0, 4}, new int[] {3, 0}).build());
    CaseBuilder empty = new CaseBuilder().packed(new int[] {3, 4}, new int[] {0, 0});
    failed.check(empty.keyRooms(new int[] {7, 0}).outputs(true, true).build());
    failed.orPass();
  }

  /**
   * A case for features to be set: two heads that share one of the keys. More sequences and heads
   * are features, too: in every case they took two and a half times as long.
   */
  static CaseBuilder plain(String features) {
    CaseBuilder plain = new CaseBuilder().lengths(1, 33, 65).heads(2, 1).headDim(40);
    plain.repeat = "a case of the grid with " + features;
    return plain.content(Content.NORMAL, features.hashCode());
  }

  @OnEveryGroup
  void everyPairOfFeatures(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    FeatureGrid<CaseBuilder> features = features();
    features.add("weights", "weights", c -> c.outputs(true, true));
    features.addReducing("no lse", c -> c.outputs(false, c.weights));
    features.cases(GridConformanceTest::plain).forEach(c -> failed.check(c.build()));
    failed.orPass();
  }

  /** What either pass can do. */
  static FeatureGrid<CaseBuilder> features() {
    FeatureGrid<CaseBuilder> all = new FeatureGrid<>();
    all.add("dtype", "float16", c -> c.dtype(DType.FLOAT16));
    all.add("dtype", "bfloat16", c -> c.dtype(DType.BFLOAT16));
    all.add("out dtype", "out float32", c -> c.outDType(DType.FLOAT32));
    all.add("out dtype", "out float16", c -> c.outDType(DType.FLOAT16));
    all.add("out dtype", "out bfloat16", c -> c.outDType(DType.BFLOAT16));
    all.add("mask", "causal", CaseBuilder::causal);
    all.add("mask", "top-left", c -> c.causal().topLeft());
    all.add("mask", "window left", c -> c.window(9, c.windowRight));
    all.add("mask", "window right", c -> c.window(c.windowLeft, 5));
    all.add("mask", "window both", c -> c.window(20, 20).topLeft());
    all.add("softcap", "softcap", c -> c.softcap(4));
    all.add("scale", "scale", c -> c.scale(-0.25f));
    all.add("alibi", "alibi", c -> c.alibi(Alibi.PER_HEAD));
    all.add("alibi", "alibi batch", c -> c.alibi(Alibi.PER_BATCH_HEAD));
    all.add("bias", "bias", c -> c.bias(Bias.FULL, DType.FLOAT32));
    all.add("bias", "bias keys", c -> c.bias(Bias.KEY_ONLY, DType.BFLOAT16));
    all.add("bias", "bias head", c -> c.bias(Bias.HEAD, DType.FLOAT16));
    all.add(
        "bias", "bias holes", c -> c.bias(Bias.FULL, DType.FLOAT32).content(Content.BIAS_HOLES, 5));
    all.add("bool mask", "bool mask", c -> c.mask(Bias.FULL));
    all.add("bool mask", "bool mask keys", c -> c.mask(Bias.BATCH));
    all.add("positions", "positions", c -> c.positions(Positions.all()));
    all.add(
        "positions",
        "positions shared",
        c -> c.positions(new Positions(false, false, Positions.Keys.SHARED, 3, 2)));
    all.add("positions", "content bias", c -> c.positions(Positions.ofContent()));
    all.add("relative", "relative", c -> c.relative(new Relative(9, 20)));
    all.add("relative", "relative far", c -> c.relative(new Relative(200, 90)));
    all.add("blocks", "blocks", c -> c.blocks(new Blocks(16, 32, true, true, 0.4)));
    all.add("blocks", "blocks few", c -> c.blocks(new Blocks(100, 3, false, false, 0.1)));
    all.add("blocks", "image window", c -> c.blocks(null).imageWindow(new ImageWindow(9, 1, 2)));
    all.add("key gates", "key gates", c -> c.gates(Gates.ofKeys(Bias.BATCH_HEAD)));
    all.add("key gates", "key gates shared", c -> c.gates(Gates.ofKeys(Bias.KEY_ONLY)));
    all.add(
        "output gates",
        "output gates",
        c -> c.gates(Gates.ofOutput(Gates.Output.ELEMENT, DType.FLOAT16)));
    all.add(
        "output gates",
        "output gates of heads",
        c -> c.gates(Gates.ofOutput(Gates.Output.HEAD, DType.FLOAT32)));
    all.add("sinks", "sinks", CaseBuilder::sinks);
    all.add("dropout", "dropout", c -> c.dropout(0.25f, 77, 3));
    all.add("heads", "two key heads", c -> c.heads(4, 2));
    all.add("lengths", "two sequences", GridConformanceTest::twoSequences);
    all.add(
        "lengths", "query lengths", c -> twoSequences(c).ragged(new int[] {20, 33}, c.keyLengths));
    all.add(
        "lengths", "key lengths", c -> twoSequences(c).ragged(c.queryLengths, new int[] {65, 13}));
    all.add("lengths", "packed", c -> c.packed(new int[] {40, 17}, new int[] {5, 90}));
    all.add(
        "lengths",
        "packed key lengths",
        c -> c.packed(new int[] {40, 17}, new int[] {5, 90}).keyRooms(new int[] {77, 90}));
    all.addReducing("one query", GridConformanceTest::oneQuery);
    all.addReducing("one head", c -> c.heads(1, 1));
    all.add("head dim", "d != dv", c -> c.headDim(24, 72));
    all.add("layouts", "bhsd", c -> c.styles(bhsd(), bhsd(), bhsd(), bhsd()));
    all.add("layouts", "gaps", c -> c.styles(gaps(1), gaps(2), gaps(3), gaps(4)));
    all.add("layouts", "shared keys", c -> c.styles(c.query, shared(), shared(), c.out));
    all.add("dtype", "tf32", CaseBuilder::allowTf32);
    all.add("guard", "guard before", c -> c.guard(Side.BEGIN));
    all.add("workers", "two workers", c -> c.parallelism(2));
    return all;
  }

  private static CaseBuilder twoSequences(CaseBuilder c) {
    return c.lengths(2, c.queryLength, c.keyLength);
  }

  private static void oneQuery(CaseBuilder c) {
    if (c.packed) {
      int[] rooms = c.keyRooms;
      c.packed(new int[] {1, 1}, c.keyLengths);
      if (rooms != null) {
        c.keyRooms(rooms);
      }
    } else {
      c.lengths(c.batch, 1, 65)
          .ragged(c.queryLengths == null ? null : new int[] {1, 0}, c.keyLengths);
    }
  }

  private static Style bhsd() {
    return Style.ordered(Order.SWAPPED);
  }

  private static Style gaps(int n) {
    return Style.gaps(Order.SEQUENCE_FIRST, n, 3, n, 1, 2).withAbsurd();
  }

  private static Style shared() {
    return Style.DENSE.withBroadcast(2);
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.stream.IntStream;

/** Gradients against the oracle: a fixed grid and random cases. */
class BackwardConformanceTest {

  private static final int[] SIZES = {
    0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 193, 257
  };
  private static final int[] HEAD_DIMS = {
    1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 48, 59, 63, 64, 65, 80, 96, 111, 127, 128,
    129, 160, 192, 255, 256, 257, 333, 512
  };

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present(), 1);
    long seed = on.seed();
    IntStream.iterate(0, i -> i + 1)
        .mapToObj(i -> BackwardGenerator.generate(seed, i, on.limits()))
        .filter(c -> RandomConformanceTest.isUsual(c.forward()))
        .limit(on.cases() / 2)
        .forEach(failed::check);
    failed.orPass();
  }

  /** With out and lse as the device's own forward leaves them, padding included. */
  @OnEveryDevice
  void afterItsForward(TestDevice on) {
    Failed failed = new Failed(on.device(), 1);
    for (int i = 0; i < on.size(30, 8); i++) {
      BackwardCase c = BackwardGenerator.generate(88, i, on.limits());
      BackwardOperands drawn = BackwardOperands.of(c);
      DType outType = c.forward().options().outDType();
      float[] out;
      float[] lse;
      try (CaseRun forward = new CaseRun(c.forward(), drawn.forward(), on.device())) {
        forward.run();
        out = Rounding.read(forward.out(), outType, drawn.out().length);
        lse = Rounding.read(forward.lse(), DType.FLOAT32, drawn.lse().length);
      }
      BackwardOperands data =
          new BackwardOperands(
              drawn.forward(), drawn.dout(), out, lse, drawn.dkey(), drawn.dvalue());
      Gradients expected = BackwardOracle.run(c, data, Precision.of(on.name()));
      try (BackwardRun run = new BackwardRun(c, data, on.device())) {
        failed.note(c, run.run().compare(expected));
      }
    }
    failed.orPass();
  }

  @OnEveryGroup
  void everyPairOfSizes(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    GridConformanceTest.pairsOfSizes(SIZES)
        .forEach(forward -> failed.check(new BackwardBuilder(forward).build()));
    failed.orPass();
  }

  @OnEveryGroup
  void everyHeadDim(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (DType type : TestDevice.TYPES) {
      for (int d : HEAD_DIMS) {
        if (d > on.limits().headDim()) {
          continue; // that the planner refuses them is PlanConformanceTest's
        }
        CaseBuilder forward = new CaseBuilder().dtype(type).lengths(1, 26, 67).heads(2, 1).causal();
        failed.check(new BackwardBuilder(forward.headDim(d)).build());
        failed.check(new BackwardBuilder(forward.headDim(d, 24)).build());
        failed.check(new BackwardBuilder(forward.headDim(24, d)).build());
      }
      if (on.limits().keyDim() >= 576) {
        CaseBuilder forward = new CaseBuilder().dtype(type).lengths(2, 3, 67).heads(7, 1);
        failed.check(new BackwardBuilder(forward.headDim(576, 512)).build());
        failed.check(new BackwardBuilder(forward.positions(Positions.all())).build());
      }
    }
    failed.orPass();
  }

  @OnEveryGroup
  void groupsOfHeads(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (int group : new int[] {1, 2, 3, 4, 5, 7, 8, 16, 33}) {
      for (int queries : new int[] {1, 3, 24, on.size(50, 5)}) {
        CaseBuilder forward =
            new CaseBuilder().lengths(1, queries, 70).heads(2 * group, 2).headDim(32);
        failed.check(new BackwardBuilder(forward).build());
        failed.check(
            new BackwardBuilder(forward.causal().bias(Bias.FULL, DType.FLOAT32).sinks()).build());
      }
    }
    failed.orPass();
  }

  /** A sum over nothing is zero, and what is added to stays as it is. */
  @OnEveryGroup
  void noSequencesQueriesOrKeys(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (int[] size : new int[][] {{0, 5, 5}, {3, 0, 5}, {3, 5, 0}, {3, 0, 0}, {0, 0, 0}}) {
      for (Bias bias : Bias.values()) {
        CaseBuilder forward = new CaseBuilder().lengths(size[0], size[1], size[2]).heads(2, 1);
        forward.bias(bias, DType.FLOAT32);
        failed.check(new BackwardBuilder(forward).build());
        failed.check(new BackwardBuilder(forward.causal().sinks()).accumulate().build());
        forward.alibi(Alibi.PER_HEAD);
        failed.check(new BackwardBuilder(forward).build());
        forward.alibi(Alibi.PER_BATCH_HEAD);
        failed.check(new BackwardBuilder(forward).build());
      }
    }
    int[][] lengths = {{}, {}, {0, 0}, {0, 0}, {0, 4}, {3, 0}, {4, 0}, {0, 0}, {0, 0}, {3, 2}};
    for (int n = 0; n < lengths.length; n += 2) {
      CaseBuilder forward = new CaseBuilder().packed(lengths[n], lengths[n + 1]).heads(2, 1);
      failed.check(new BackwardBuilder(forward).build());
      forward.sinks().alibi(Alibi.PER_HEAD).bias(Bias.FULL, DType.FLOAT16);
      failed.check(new BackwardBuilder(forward).build());
      failed.check(new BackwardBuilder(forward).accumulate().build());
    }
    failed.orPass();
  }

  /** Rows that see nothing, wherever they are. */
  @OnEveryGroup
  void rowsThatSeeNothing(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (DType type : TestDevice.TYPES) {
      for (boolean sinks : new boolean[] {false, true}) {
        CaseBuilder forward = new CaseBuilder().dtype(type).heads(4, 2).headDim(24);
        forward.sinks = sinks;
        // Bottom-right, the first 60 queries are before every key.
        failed.check(new BackwardBuilder(forward.lengths(2, 100, 40).causal()).build());
        forward.causal = false;
        failed.check(new BackwardBuilder(forward.topLeft().window(3, -1)).build());
        forward.window(-1, -1).bias(Bias.FULL, DType.FLOAT32).content(Content.BIAS_ALL_MASKED, 3);
        failed.check(new BackwardBuilder(forward).build());
        failed.check(new BackwardBuilder(forward.content(Content.BIAS_HOLES, 4)).build());
      }
    }
    failed.orPass();
  }

  /** A value that is not finite makes no gradient of a query that is not there. */
  @OnEveryGroup
  void paddingBesideNaN(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    for (Content content : new Content[] {Content.NAN_IN_VALUE, Content.NAN_IN_KEY}) {
      CaseBuilder forward = new CaseBuilder().lengths(2, 20, 9).heads(2, 1).content(content, 7);
      forward.ragged(new int[] {20, 11}, null).bias(Bias.FULL, DType.FLOAT32);
      failed.check(new BackwardBuilder(forward).build());
      failed.check(new BackwardBuilder(forward.causal()).build());
    }
    failed.orPass();
  }

  @OnEveryGroup
  void everyPairOfFeatures(TestGroup on) {
    Failed failed = new Failed(on.present(), on.oneIn());
    features()
        .cases(names -> new BackwardBuilder(GridConformanceTest.plain(names)))
        .forEach(c -> failed.check(c.build()));
    failed.orPass();
  }

  private static FeatureGrid<BackwardBuilder> features() {
    FeatureGrid<BackwardBuilder> all = new FeatureGrid<>();
    all.addAll(GridConformanceTest.features(), c -> c.forward);
    all.add("bias", "bias queries", c -> c.forward.bias(Bias.BATCH_HEAD, DType.FLOAT32));
    all.add("bias", "bias expanded", BackwardConformanceTest::expandedBias);
    all.add("gradients", "gradients float32", c -> c.dtype(DType.FLOAT32));
    all.add("gradients", "gradients float16", c -> c.dtype(DType.FLOAT16));
    all.add("gradients", "gradients bfloat16", c -> c.dtype(DType.BFLOAT16));
    all.add("order", "deterministic", BackwardBuilder::deterministic);
    all.add("accumulate", "accumulate", BackwardBuilder::accumulate);
    all.addReducing("nothing optional", c -> c.gradients(false, false, false));
    all.add(
        "gradient layouts",
        "gradients bhsd",
        c -> c.styles(bhsd(), bhsd(), bhsd(), bhsd(), bhsd()));
    all.add(
        "gradient layouts",
        "gradients gaps",
        c -> c.styles(gaps(1), gaps(2), gaps(3), gaps(4), gaps(5)));
    all.add("gradient layouts", "shared dout", c -> c.dout = Style.DENSE.withBroadcast(2));
    return all;
  }

  private static void expandedBias(BackwardBuilder c) {
    c.forward.bias(Bias.HEAD, DType.FLOAT32);
    c.forward.biasExpanded = true;
  }

  private static Style bhsd() {
    return Style.ordered(Order.SWAPPED);
  }

  private static Style gaps(int n) {
    return Style.gaps(Order.SEQUENCE_FIRST, n, 3, n, 1, 2).withAbsurd();
  }
}

package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The work of a
 * case is bounded so that the oracle, which takes a tanh for each column of each pair at most,
 * keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** A or D of the widest cases. */
  static final int WIDEST = 300;

  /** tanh of the oracle that a usual case may cost. */
  private static final double BUDGET = 4e6;

  /** The same for the few long cases. */
  private static final double LONG_BUDGET = 1.6e7;

  /** A backward pass has more than a tanh to do for each. */
  private static final double BACKWARD_SHARE = 0.4;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 1e4;

  private static final int[] HEAD_DIMS = {
    1, 2, 3, 4, 5, 7, 8, 8, 12, 15, 16, 16, 17, 20, 24, 31, 32, 32, 33, 48, 63, 64, 64, 65, 100,
    128, 129, 200, 257, WIDEST
  };
  private static final int[] WIDE = {65, 100, 129, 129, 200, 257, WIDEST, WIDEST};
  private static final int[] FIT_DIMS = {1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 16};
  private static final int[] VALUE_DIMS = {
    1, 2, 3, 7, 8, 16, 17, 32, 40, 64, 64, 64, 80, 96, 111, 128, 160, 256
  };
  private static final int[] GROUPS = {1, 1, 1, 2, 3, 4, 5, 8};
  private static final List<String> READ = List.of("query", "key", "value", "weight", "bias");
  private static final List<String> WRITTEN =
      List.of("out", "lse", "weights", "dquery", "dkey", "dvalue", "dweight", "dbias");

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final CaseBuilder c;

  private CaseGenerator(Kind kind, Pass pass, long seed, long index, Limits limits) {
    c = new CaseBuilder(kind);
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    boolean backward = pass == Pass.BACKWARD;
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(kind.table().name(), backward ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    budget = (backward ? BACKWARD_SHARE : 1) * Math.min(1, limits.tiles() * PER_TILE / BUDGET);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static PairCase generate(Kind kind, Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(kind, pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.outDType =
        random.chance(0.2) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
    sizes();
    masks();
    c.bias = random.chance(0.6);
    if (random.chance(0.2)) {
      c.dropout(random.pick(0.1f, 0.17f, 0.5f, 0.9f), random.nextLong(), (int) random.nextLong());
    }
    content();
    fit(new Gaussian(Gaussian.mix(~c.dataSeed)));
    raggedness();
    memory();
    c.lse = random.chance(0.6);
    c.weights = random.chance(0.3);
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients =
          random.chance(0.3) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.25);
      c.dweight = random.chance(0.7);
      c.dbias = random.chance(0.7);
      c.dbandwidth = c.dweight;
    }
    drawnApart();
    return c;
  }

  /** What leaves the draws of all else as they were before it was drawn. */
  private void drawnApart() {
    Gaussian random = new Gaussian(Gaussian.mix(c.dataSeed));
    if (random.chance(0.7)) {
      c.top = random.among(1, 2, 5, 8, 40, 128);
    }
    c.style("top_weights", Style.draw(random)).style("top_keys", Style.draw(random));
  }

  private void sizes() {
    c.batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    c.keyHeads = random.among(1, 1, 2, 2, 3, 4);
    c.queryHeads = c.keyHeads * random.among(GROUPS);
    c.headDim(random.among(HEAD_DIMS), random.among(VALUE_DIMS));
    double share = budget * BUDGET;
    double kind = random.nextDouble();
    if (kind < 0.12) {
      int keys = random.chance(0.5) ? draws.tiny() : draws.edge();
      c.lengths(c.batch, draws.tiny(), keys);
    } else if (kind < 0.5) {
      int queries = draws.edge();
      c.lengths(c.batch, queries, random.chance(0.4) ? queries : draws.edge());
    } else if (kind < 0.7) {
      int queries = random.between(1, 300);
      c.lengths(c.batch, queries, random.chance(0.3) ? queries : random.between(1, 500));
    } else if (kind < 0.85) {
      c.lengths(c.batch, random.among(1, 1, 2, 4, 7), random.between(100, 2500));
    } else if (kind < 0.96) {
      c.heads(1, 1).lengths(random.between(1, 40), 1, random.between(1, 600));
    } else {
      c.lengths(1, random.between(200, 1200), random.between(200, 2000));
      c.heads(1, 1).headDim(random.among(1, 2, 4, 8, 12), c.valueHeadDim);
      share = budget * LONG_BUDGET;
    }
    trim(share);
    if (random.chance(0.03)) {
      switch (random.nextInt(3)) {
        case 0 -> c.batch = 0;
        case 1 -> c.queryLength = 0;
        default -> c.keyLength = 0;
      }
    }
  }

  /** Makes the case affordable: fewer sequences, then heads, then positions, then columns. */
  private void trim(double most) {
    while (cost() > most) {
      if (c.batch > 1) {
        c.batch--;
      } else if (c.keyHeads > 1) {
        c.heads(c.queryHeads / c.keyHeads * (c.keyHeads - 1), c.keyHeads - 1);
      } else if (c.queryHeads > 2) {
        c.queryHeads--;
      } else if (c.queryLength > 48) {
        c.queryLength = c.queryLength * 4 / 5;
      } else if (c.headDim > 16 && c.headDim < WIDEST) {
        c.headDim = c.headDim * 4 / 5;
      } else if (c.queryHeads == 2) {
        c.queryHeads = 1;
      } else {
        c.keyLength = c.keyLength * 4 / 5;
      }
    }
  }

  /** Columns of pairs; masks, which save some, left aside. */
  private double cost() {
    double pairs = (double) c.batch * c.queryHeads * c.queryLength * c.keyLength;
    return pairs * (c.headDim + 0.25 * c.valueHeadDim + 5);
  }

  private void masks() {
    c.causal = random.chance(0.4);
    c.topLeft = random.chance(0.25);
    if (random.chance(0.25)) {
      c.windowLeft = draws.window(c.keyLength);
    }
    if (random.chance(0.25)) {
      c.windowRight = draws.window(c.keyLength);
    }
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.22) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.54) {
      Content usual = c.kind == Kind.ADDITIVE ? Content.FAR : Content.OFFSET;
      c.content = random.pick(Content.FAR, Content.SATURATED, Content.SMALL, Content.HEAVY, usual);
      if (c.content == Content.FAR && random.chance(0.5)) {
        c.headDim(random.among(WIDE), c.valueHeadDim); // in parts, of which one is far
        trim(budget * BUDGET);
      }
    } else if (kind < 0.6) {
      c.content = random.pick(Content.CONSTANT, Content.TINY);
    } else if (kind < 0.68 && c.dropout == 0) {
      c.content =
          random.pick(
              Content.NAN_IN_KEY,
              Content.NAN_IN_VALUE,
              Content.NAN_IN_QUERY,
              Content.NAN_IN_WEIGHT);
    }
  }

  /** Linear fits of distance attention, by draws of their own as {@link #drawnApart}. */
  private void fit(Gaussian random) {
    if (c.kind != Kind.DISTANCE || !random.chance(0.25)) {
      return;
    }
    c.headDim(random.among(FIT_DIMS), Math.min(c.valueHeadDim, 64));
    trim(budget * BUDGET / (2 + 0.1 * c.headDim * c.headDim));
    c.ridge = random.pick(0f, 0f, 0x1p-32f, 0x1p-20f, 0x1p-10f, 0.02f, 0.3f, 4f);
  }

  private void raggedness() {
    double kind = random.nextDouble();
    if (kind < 0.25) {
      boolean query = random.chance(0.6);
      boolean key = !query || random.chance(0.7);
      c.ragged(
          query ? draws.ragged(c.batch, c.queryLength) : null,
          key ? draws.ragged(c.batch, c.keyLength) : null);
    } else if (kind < 0.47) {
      int[] queries = draws.ragged(c.batch, c.queryLength);
      int[] keys = random.chance(0.3) ? queries : draws.ragged(c.batch, c.keyLength);
      int roomQ = random.chance(0.2) ? random.between(1, 70) : 0;
      int roomK = random.chance(0.2) ? random.between(1, 70) : 0;
      c.packed(queries, keys);
      if (random.chance(0.3)) {
        c.keyRooms(draws.rooms(keys));
      }
      // The longest length is a bound, not always met.
      c.lengths(c.batch, c.queryLength + roomQ, c.keyLength + roomK);
    }
  }

  private void memory() {
    READ.forEach(name -> c.style(name, Style.drawInput(random)));
    WRITTEN.forEach(name -> c.style(name, Style.draw(random)));
    c.style("dout", Style.drawInput(random));
  }
}

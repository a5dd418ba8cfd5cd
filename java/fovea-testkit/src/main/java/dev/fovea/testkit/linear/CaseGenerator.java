package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.linear.LinearCase.Content;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The work of a
 * case is bounded so that the oracle, which has a state in float64 with the errors of its elements,
 * keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of states that the tokens of a usual case may change. */
  private static final double BUDGET = 3e6;

  /** The same for the few long cases. */
  private static final double LONG_BUDGET = 1.2e7;

  /** A backward pass has four states to change for each. */
  private static final double BACKWARD_SHARE = 0.4;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 5e3;

  /** D and Dv of the widest cases: what every backend takes. */
  static final int WIDEST = 512;

  private static final int[] HEAD_DIMS = {
    1, 2, 3, 4, 5, 7, 8, 8, 12, 15, 16, 16, 17, 20, 24, 31, 32, 32, 33, 48, 63, 64, 64, 64, 65, 96,
    100, 128, 128, 129, 192, 256
  };
  private static final int[] GROUPS = {1, 1, 1, 2, 3, 4, 5, 8};
  private static final List<String> READ =
      List.of("query", "key", "value", "key_decay", "initial_state", "dout");
  private static final List<String> WRITTEN =
      List.of(
          "decay",
          "beta",
          "initial_sum",
          "out",
          "final_state",
          "final_sum",
          "dquery",
          "dkey",
          "dvalue",
          "ddecay",
          "dkey_decay",
          "dbeta",
          "dinitial_state",
          "dinitial_sum");

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(Pass pass, long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    boolean backward = pass == Pass.BACKWARD;
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(LinearCases.OPERATION, backward ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    budget = (backward ? BACKWARD_SHARE : 1) * Math.min(1, limits.tiles() * PER_TILE / BUDGET);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static LinearCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.outDType =
        random.chance(0.2) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
    rules();
    sizes();
    content();
    raggedness();
    memory();
    c.states(random.chance(0.4), random.chance(0.6));
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients =
          random.chance(0.3) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.25);
      c.ddecay = random.chance(0.7);
      c.dkeyDecay = random.chance(0.7);
      c.dbeta = random.chance(0.7);
      c.dinitialState = random.chance(0.7);
    }
    scale();
    return c;
  }

  private void rules() {
    c.causal = random.chance(0.75);
    double kind = random.nextDouble();
    c.featureMap =
        kind < 0.4 ? FeatureMap.IDENTITY : kind < 0.8 ? FeatureMap.ELU_PLUS_ONE : FeatureMap.RELU;
    if (c.causal && random.chance(0.35)) {
      c.beta = type();
    }
    c.normalised =
        c.beta == null && random.chance(c.featureMap == FeatureMap.IDENTITY ? 0.05 : 0.6);
    if (c.causal && random.chance(0.5)) {
      c.decay = type();
      c.sharedDecay = random.chance(0.4);
    }
    if (c.causal && random.chance(0.4)) {
      c.keyDecay = type();
    }
  }

  /** Of an operand with a type of its own. */
  private DType type() {
    return random.chance(0.5) ? DType.FLOAT32 : random.pick(DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    c.batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    c.keyHeads = random.among(1, 1, 2, 2, 3, 4);
    c.queryHeads = c.keyHeads * random.among(GROUPS);
    c.headDim(random.among(HEAD_DIMS), random.among(HEAD_DIMS));
    double share = budget * BUDGET;
    double kind = random.nextDouble();
    if (kind < 0.15) {
      c.lengths(c.batch, 1, 1); // a step of decoding
    } else if (kind < 0.3) {
      lengths(draws.tiny(), draws.tiny());
    } else if (kind < 0.6) {
      lengths(draws.edge(), draws.edge());
    } else if (kind < 0.85) {
      lengths(random.between(1, 500), random.between(1, 500));
    } else if (kind < 0.88) {
      c.headDim(random.chance(0.5) ? WIDEST : 1, random.chance(0.5) ? WIDEST : 1);
      lengths(random.between(1, 30), random.between(1, 30));
    } else {
      lengths(random.between(200, 3000), random.between(200, 3000));
      c.heads(1, 1).headDim(random.among(1, 2, 4, 8, 16, 33), random.among(1, 3, 8, 16));
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

  /** As many queries as keys, or not. */
  private void lengths(int queries, int keys) {
    c.lengths(c.batch, queries, random.chance(0.6) ? queries : keys);
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
      } else if (c.queryLength > 80 || c.keyLength > 80) {
        boolean square = c.queryLength == c.keyLength;
        c.queryLength = Math.min(c.queryLength, Math.max(80, c.queryLength * 4 / 5));
        c.keyLength =
            square ? c.queryLength : Math.min(c.keyLength, Math.max(80, c.keyLength * 4 / 5));
      } else if (c.queryHeads == 2) {
        c.queryHeads = 1;
      } else if (c.headDim < WIDEST && c.headDim > 8) {
        c.headDim = c.headDim * 4 / 5;
      } else if (c.valueHeadDim > 8) {
        c.valueHeadDim = c.valueHeadDim * 4 / 5;
      } else {
        c.keyLength = c.keyLength * 4 / 5;
        c.queryLength = c.queryLength * 4 / 5;
      }
    }
  }

  /** Elements that are changed or read. */
  private double cost() {
    double rows = (double) c.keyHeads * c.keyLength + (double) c.queryHeads * c.queryLength;
    return c.batch * rows * (c.headDim + 1) * (c.valueHeadDim + 1) / 2;
  }

  /** An out of float16 has no room for sums of many keys. */
  private void scale() {
    if (c.normalised) {
      return;
    }
    boolean narrow =
        c.dtype == DType.FLOAT16 || c.outDType == DType.FLOAT16 || c.gradients == DType.FLOAT16;
    if (narrow && c.featureMap != FeatureMap.IDENTITY) {
      c.scale(1f / (c.headDim * (1 + c.keyLength)));
    } else if (random.chance(0.5)) {
      c.scale(random.chance(0.8) ? (float) (1 / Math.sqrt(c.headDim)) : 0.3f);
    }
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.3) {
      c.content = random.pick(Content.CONSTANT, Content.TINY);
    } else if (kind < 0.6 && (c.decay != null || c.keyDecay != null)) {
      c.content = random.pick(Content.SLOW, Content.SLOW, Content.RESETS);
    } else if (kind > 0.93) {
      c.content = random.pick(Content.NAN_IN_KEY, Content.NAN_IN_VALUE, Content.NAN_IN_QUERY);
    }
  }

  private void raggedness() {
    double kind = random.nextDouble();
    if (kind < 0.25) {
      boolean query = random.chance(0.6);
      boolean key = !query || random.chance(0.7);
      int[] queries = draws.ragged(c.batch, c.queryLength);
      boolean alike = c.queryLength == c.keyLength && random.chance(0.6);
      int[] keys = alike ? queries : draws.ragged(c.batch, c.keyLength);
      c.ragged(query ? queries : null, key ? keys : null);
    } else if (kind < 0.47) {
      int[] queries = draws.ragged(c.batch, c.queryLength);
      int[] keys = random.chance(0.6) ? queries : draws.ragged(c.batch, c.keyLength);
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
  }
}

package dev.fovea.testkit.projection;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.projection.CaseBuilder.Sharing;
import dev.fovea.testkit.projection.ProjectionCase.Content;
import java.util.Arrays;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The work of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Multiplications of a product that a usual case may have. */
  private static final double BUDGET = 2e6;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 1.2e7;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 4e3;

  /** D of the widest cases. */
  static final int WIDEST = 512;

  private static final int[] HEAD_DIMS = {
    1, 2, 3, 4, 5, 7, 8, 8, 12, 15, 16, 16, 17, 20, 24, 31, 32, 32, 33, 48, 63, 64, 64, 64, 65, 96,
    100, 128, 128, 129, 192, 256
  };
  private static final int[] RANKS = {
    1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 64, 65, 96, 127, 128,
    128, 129, 192, 255, 256, 257
  };

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final double largeBudget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(Pass pass, long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    boolean backward = pass == Pass.BACKWARD;
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(ProjectionCases.OPERATION, backward ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most) / (backward ? 2 : 1);
    largeBudget = Math.min(LARGE_BUDGET, 2 * most) / (backward ? 2 : 1);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static ProjectionCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = random.pick(DType.FLOAT32, DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    c.outDType =
        random.chance(0.2) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
    sizes(pass);
    content(pass);
    memory();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients =
          random.chance(0.3) ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16) : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.25);
      c.dweight = random.chance(0.8);
    }
    return c;
  }

  private void sizes(Pass pass) {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    int heads = random.among(1, 1, 2, 2, 3, 4, 6);
    int headDim = random.among(HEAD_DIMS);
    int rank = random.among(RANKS);
    double kind = random.nextDouble();
    if (kind < 0.15) {
      trimmed(batch, draws.tiny(), rank, heads, headDim, budget);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), rank, heads, headDim, budget);
    } else if (kind < 0.75) {
      trimmed(batch, random.between(1, 700), rank, heads, headDim, budget);
    } else if (kind < 0.8) {
      int width = random.chance(0.7) ? WIDEST : 1;
      trimmed(batch, random.between(1, 60), random.between(1, 40), heads, width, budget);
    } else if (kind < 0.85) { // of a rank that is no low one
      trimmed(1, random.between(1, 300), random.between(200, 1500), 1, 16, largeBudget);
    } else if (kind < 0.86) {
      manyHeads(pass);
    } else { // long: partial sums
      int few = random.among(1, 2, 4, 8, 16, 17, 32, 64);
      int length = random.among(1023, 1024, 1025, 2047, 2048, 2049, random.between(900, 6000));
      trimmed(batch, length, random.between(1, 24), random.among(1, 1, 2), few, largeBudget);
    }
    double sharing = random.nextDouble();
    c.sharing = sharing < 0.4 ? Sharing.ONE : sharing < 0.9 ? Sharing.NONE : Sharing.REPEATED;
    if (random.chance(0.35) && c.sizes.lengths() == null) {
      c.lengths(draws.ragged(c.sizes.batch(), c.sizes.length()));
    }
    if (random.chance(0.03)) {
      ProjectionSizes s = c.sizes;
      switch (random.nextInt(3)) {
        case 0 -> c.sizes(0, s.length(), s.rank(), s.heads(), s.headDim());
        case 1 -> c.sizes(s.batch(), 0, s.rank(), s.heads(), s.headDim());
        default -> c.sizes(s.batch(), s.length(), 0, s.heads(), s.headDim());
      }
    }
  }

  /**
   * So many that an item has several chunks of products of which partial sums are made: positions,
   * which are no items where heads alone fill a GPU, or columns of the heads of a weight. Few of
   * the sequences are long, since a simulator takes its time.
   */
  private void manyHeads(Pass pass) {
    if (pass == Pass.BACKWARD) {
      c.sizes(11, random.between(1, 8), random.between(1, 4), 8, random.between(400, WIDEST));
      return;
    }
    int[] lengths = new int[27];
    Arrays.setAll(lengths, b -> random.between(0, 40));
    int longest = random.between(1025, 1090);
    lengths[random.nextInt(lengths.length)] = random.between(1025, longest);
    lengths[random.nextInt(lengths.length)] = longest;
    c.sizes(lengths.length, longest, random.between(1, 2), 8, random.between(1, 2));
    c.lengths(lengths);
  }

  /** Affordable: fewer sequences, then heads, ranks, columns and positions. */
  private void trimmed(int batch, int length, int rank, int heads, int headDim, double most) {
    c.sizes(batch, length, rank, heads, headDim);
    while (c.sizes.products() > most) {
      ProjectionSizes s = c.sizes;
      if (s.batch() > 2) {
        c.sizes(s.batch() - 1, s.length(), s.rank(), s.heads(), s.headDim());
      } else if (s.heads() > 2) {
        c.sizes(s.batch(), s.length(), s.rank(), s.heads() - 1, s.headDim());
      } else if (s.rank() > 40) {
        c.sizes(s.batch(), s.length(), s.rank() * 4 / 5, s.heads(), s.headDim());
      } else if (s.batch() > 1) {
        c.sizes(1, s.length(), s.rank(), s.heads(), s.headDim());
      } else if (s.length() > 300 && s.length() < 900) {
        c.sizes(1, s.length() * 4 / 5, s.rank(), s.heads(), s.headDim());
      } else if (s.heads() > 1) {
        c.sizes(1, s.length(), s.rank(), 1, s.headDim());
      } else if (s.rank() > 4) {
        c.sizes(1, s.length(), s.rank() * 4 / 5, 1, s.headDim());
      } else {
        c.sizes(1, s.length() * 4 / 5, s.rank(), 1, s.headDim());
      }
    }
  }

  private void content(Pass pass) {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.32) {
      c.content = random.pick(Content.CONSTANT, Content.TINY);
    } else if (kind < 0.45) {
      Content last = pass == Pass.BACKWARD ? Content.NAN_IN_DOUT : Content.NAN_IN_WEIGHT;
      c.content =
          random.pick(
              Content.LARGEST_IN_X,
              Content.INFINITY_IN_X,
              Content.NAN_IN_X,
              Content.NAN_IN_WEIGHT,
              last);
    } else if (kind < 0.6 && pass == Pass.BACKWARD && c.sizes.lengths() != null) {
      c.content = Content.NAN_IN_DOUT; // of a sequence that may end where another goes on
    }
  }

  private void memory() {
    c.style("x", Style.drawInput(random));
    c.style("out", Style.draw(random));
    c.style("dout", Style.drawInput(random));
    c.style("dx", Style.draw(random));
    c.weightStyle = MatrixStyle.draw(random);
    c.dweightStyle = MatrixStyle.draw(random);
  }
}

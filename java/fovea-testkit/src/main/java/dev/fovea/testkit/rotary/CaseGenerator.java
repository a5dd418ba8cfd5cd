package dev.fovea.testkit.rotary;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.rotary.CaseBuilder.Sharing;
import dev.fovea.testkit.rotary.RotaryCase.Content;
import dev.fovea.testkit.rotary.RotaryCase.Order;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The size of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of x that a usual case may have. */
  private static final double BUDGET = 1e5;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 6e5;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  /** D of the widest cases. */
  static final int WIDEST = 512;

  private static final int[] HEAD_DIMS = {
    2, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 12, 14, 15, 16, 16, 17, 18, 20, 24, 31, 32, 32, 33, 34, 40,
    48, 63, 64, 64, 64, 65, 66, 80, 96, 100, 128, 128, 129, 192, 256
  };

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final double largeBudget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(Pass pass, long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(
                RotaryCases.OPERATION, pass == Pass.BACKWARD ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most);
    largeBudget = Math.min(LARGE_BUDGET, 2 * most);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static RotaryCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = type();
    c.outDType = random.chance(0.2) ? type() : c.dtype;
    sizes();
    positions();
    sharing();
    content();
    memory();
    c.interleaved = random.chance(0.5);
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients = random.chance(0.3) ? type() : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.25);
    }
    return c;
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    int heads = random.among(1, 1, 2, 2, 3, 4, 6, 8);
    int headDim = random.among(HEAD_DIMS);
    double kind = random.nextDouble();
    if (kind < 0.2) {
      trimmed(batch, draws.tiny(), heads, headDim, budget);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), heads, headDim, budget);
    } else if (kind < 0.75) {
      trimmed(batch, random.between(1, 700), heads, headDim, budget);
    } else if (kind < 0.82) {
      int width = random.chance(0.7) ? WIDEST : random.between(257, WIDEST);
      trimmed(batch, random.between(1, 60), random.among(1, 2, 3), width, budget);
    } else if (kind < 0.88) {
      trimmed(batch, random.between(1, 40), random.between(16, 70), headDim, budget);
    } else {
      int few = random.among(2, 4, 6, 8, 16, 17, 32, 64);
      int length = random.among(1023, 1024, 1025, 2047, 2048, 2049, random.between(900, 6000));
      trimmed(batch, length, random.among(1, 1, 2), few, largeBudget);
    }
    if (random.chance(0.04)) {
      RotarySizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), none ? s.length() : 0, s.heads(), s.headDim());
    }
  }

  /** Affordable: fewer sequences, then heads, columns and rows. */
  private void trimmed(int batch, int length, int heads, int headDim, double most) {
    c.sizes(batch, length, heads, headDim);
    while (c.sizes.elements() > most) {
      RotarySizes s = c.sizes;
      if (s.batch() > 2) {
        c.sizes(s.batch() - 1, s.length(), s.heads(), s.headDim());
      } else if (s.heads() > 2) {
        c.sizes(s.batch(), s.length(), Math.max(2, s.heads() * 4 / 5), s.headDim());
      } else if (s.length() > 300 && s.length() < 900) {
        c.sizes(s.batch(), s.length() * 4 / 5, s.heads(), s.headDim());
      } else if (s.batch() > 1) {
        c.sizes(1, s.length(), s.heads(), s.headDim());
      } else if (s.heads() > 1) {
        c.sizes(1, s.length(), 1, s.headDim());
      } else {
        c.sizes(1, s.length() * 4 / 5, 1, s.headDim());
      }
    }
  }

  /** Pairs, positions, and rows that the tables must have for them, or more. */
  private void positions() {
    RotarySizes s = c.sizes;
    int most = s.headDim() / 2;
    int pairs = random.chance(0.5) ? most : random.between(1, most);
    int rows = s.length() + (random.chance(0.4) ? random.between(1, 20) : 0);
    if (random.chance(0.55)) {
      c.positions = random.pick(Sharing.ONE, Sharing.EACH, Sharing.EACH, Sharing.REPEATED);
      c.order = random.pick(Order.CONSECUTIVE, Order.ANY, Order.ANY, Order.SAME);
      if (s.length() > 0 && random.chance(0.7)) {
        rows = random.chance(0.1) ? 1 : random.between(1, 2 * s.length() + 4);
      }
    }
    c.tables(pairs, rows);
  }

  private void sharing() {
    c.sharing(random.pick(Sharing.ONE, Sharing.ONE, Sharing.EACH, Sharing.REPEATED));
    if (random.chance(0.2)) {
      c.sines = random.pick(Sharing.values());
    }
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.32) {
      c.content = random.pick(Content.TINY, Content.SUBNORMAL);
    } else if (kind < 0.5) {
      c.content = random.pick(Content.LARGEST, Content.INFINITY, Content.NAN, Content.NAN_IN_TABLE);
    }
  }

  private void memory() {
    c.style("x", Style.drawInput(random));
    c.style("out", Style.draw(random));
    c.style("dout", Style.drawInput(random));
    c.style("dx", Style.draw(random));
    c.cosinesStyle = MatrixStyle.draw(random);
    c.sinesStyle = random.chance(0.5) ? c.cosinesStyle : MatrixStyle.draw(random);
    c.positionsStyle = MatrixStyle.draw(random);
  }
}

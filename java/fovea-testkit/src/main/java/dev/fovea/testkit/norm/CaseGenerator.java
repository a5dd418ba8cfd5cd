package dev.fovea.testkit.norm;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.norm.CaseBuilder.Sharing;
import dev.fovea.testkit.norm.NormCase.Content;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The size of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of x that a usual case may have. */
  private static final double BUDGET = 8e4;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 3e5;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 110;

  /** D of the widest cases. */
  static final int WIDEST = 65536;

  private static final int[] WIDTHS = {
    1, 1, 2, 3, 4, 5, 7, 8, 8, 9, 12, 15, 16, 16, 17, 24, 31, 32, 32, 33, 40, 47, 48, 63, 64, 64,
    64, 65, 72, 96, 100, 127, 128, 128, 128, 129, 192, 200, 255, 256, 256, 257, 264, 384, 511, 512,
    513, 520, 768, 1000, 1023, 1024, 1024, 1025
  };
  private static final int[] WIDE = {
    1536, 2000, 2047, 2048, 2049, 2056, 3072, 4088, 4095, 4096, 4097, 4104, 5120, 6000, 8184, 8192,
    8193, 8200, 10_000, 12_288, 16_384, 20_480
  };
  private static final float[] EPSILONS = {1e-5f, 1e-5f, 1e-6f, 1e-6f, 1e-12f, 1e-3f, 0.5f, 0};

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
                NormCases.OPERATION, pass == Pass.BACKWARD ? " --pass " + pass : "", seed, index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most);
    largeBudget = Math.min(LARGE_BUDGET, 2 * most);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static NormCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = type();
    c.outDType = random.chance(0.2) ? type() : c.dtype;
    sizes();
    c.centered = random.chance(0.6);
    c.epsilon = EPSILONS[random.nextInt(EPSILONS.length)];
    c.sharing(sharing(), sharing());
    c.mean = random.chance(0.6);
    c.inverse = random.chance(0.5);
    content(pass);
    memory();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients = random.chance(0.3) ? type() : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate(random.chance(0.3), random.chance(0.25));
      c.gradients(random.chance(0.8), random.chance(0.8));
    }
    return c;
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private Sharing sharing() {
    return random.chance(0.2)
        ? null
        : random.pick(Sharing.ONE, Sharing.ONE, Sharing.EACH, Sharing.EACH, Sharing.REPEATED);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    int heads = random.among(1, 1, 1, 2, 2, 3, 4, 6, 8);
    int width = random.among(WIDTHS);
    double kind = random.nextDouble();
    if (kind < 0.25) {
      trimmed(batch, draws.tiny(), heads, width, budget);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), heads, width, budget);
    } else if (kind < 0.7) {
      trimmed(batch, random.between(1, 400), heads, width, budget);
    } else if (kind < 0.78) {
      trimmed(random.among(1, 1, 2), random.between(1, 12), random.among(1, 1, 2), wide(), budget);
    } else if (kind < 0.79) {
      c.sizes(1, 1, 1, WIDEST);
    } else if (kind < 0.84) {
      trimmed(batch, random.between(1, 12), random.between(16, 300), random.among(WIDTHS), budget);
    } else { // of several parts, whose sums are added up
      int few = random.among(1, 2, 3, 8, 16, 17, 24, 32, 64);
      int length = random.among(1023, 1024, 1025, 2048, 4097, random.between(900, 20_000));
      trimmed(random.among(1, 1, 2), length, random.among(1, 1, 2, 3), few, largeBudget);
    }
    if (random.chance(0.04)) {
      NormSizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), none ? s.length() : 0, s.heads(), s.width());
    }
  }

  private int wide() {
    return random.chance(0.15) ? random.between(1026, 20_000) : random.among(WIDE);
  }

  /** Affordable: fewer sequences, then heads and positions, and columns at last. */
  private void trimmed(int batch, int length, int heads, int width, double most) {
    c.sizes(batch, length, heads, width);
    while (c.sizes.elements() > most) {
      NormSizes s = c.sizes;
      if (s.batch() > 2) {
        c.sizes(s.batch() - 1, s.length(), s.heads(), s.width());
      } else if (s.heads() > 2) {
        c.sizes(s.batch(), s.length(), Math.max(2, s.heads() * 4 / 5), s.width());
      } else if (s.length() > 40) {
        c.sizes(s.batch(), s.length() * 4 / 5, s.heads(), s.width());
      } else if (s.batch() > 1) {
        c.sizes(1, s.length(), s.heads(), s.width());
      } else if (s.heads() > 1) {
        c.sizes(1, s.length(), 1, s.width());
      } else if (s.length() > 1) {
        c.sizes(1, s.length() * 4 / 5, 1, s.width());
      } else {
        c.sizes(1, 1, 1, s.width() * 4 / 5);
      }
    }
  }

  private void content(Pass pass) {
    double kind = random.nextDouble();
    if (kind < 0.15) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.3) {
      c.content = random.pick(Content.OFFSET, Content.OFFSET, Content.FIRST_FAR);
    } else if (kind < 0.42) {
      c.content = random.pick(Content.CONSTANT, Content.TINY);
    } else if (kind < 0.6) {
      Content last = pass == Pass.BACKWARD ? Content.NAN_IN_DOUT : Content.NAN_IN_WEIGHT;
      c.content =
          random.pick(Content.LARGEST, Content.INFINITY, Content.NAN, Content.NAN_IN_WEIGHT, last);
    }
  }

  private void memory() {
    c.style("x", Style.drawInput(random));
    c.style("out", Style.draw(random));
    c.style("dout", Style.drawInput(random));
    c.style("dx", Style.draw(random));
    for (String vectors : List.of("weight", "bias", "dweight", "dbias", "mean", "inverse")) {
      c.style(vectors, MatrixStyle.draw(random));
    }
    int last = c.sizes.width() % 8;
    if (last > 0 && random.chance(0.2)) { // rows of no whole packets that all begin with one
      for (String rows : List.of("x", "out", "dout", "dx")) {
        c.style(rows, Style.gaps(Order.DENSE, 0, 0, 0, 0, 8 - last));
      }
    }
  }
}

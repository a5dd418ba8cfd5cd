package dev.fovea.testkit.activation;

import dev.fovea.Activation.Function;
import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The size of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of x that a usual case may have. */
  private static final double BUDGET = 2.5e4;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 1e5;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  /** D of the widest cases: more than any kernel takes at a time to sum. */
  static final int WIDEST = 5000;

  private static final int[] WIDTHS = {
    1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 12, 14, 15, 16, 16, 17, 18, 20, 24, 31, 32, 32, 33, 34, 40,
    48, 63, 64, 64, 64, 65, 66, 80, 96, 100, 127, 128, 128, 129, 192, 255, 256, 257, 512, 520, 768
  };

  private static final List<String> ROWS =
      List.of("x", "gate", "residual", "out", "dout", "dx", "dgate", "dresidual");

  private static final List<String> READ = List.of("x", "gate", "residual", "dout");

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
                ActivationCases.OPERATION,
                pass == Pass.BACKWARD ? " --pass " + pass : "",
                seed,
                index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most);
    largeBudget = Math.min(LARGE_BUDGET, 2 * most);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static ActivationCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.function = random.pick(Function.values());
    c.dtype = type();
    c.outDType = random.chance(0.2) ? type() : c.dtype;
    sizes();
    give("bias", 0.5);
    give("gate", 0.4);
    give("residual", 0.4);
    if (random.chance(0.3)) {
      float probability = random.pick(0.1f, 0.17f, 0.5f, 0.9f, 1e-6f);
      c.dropout(probability, random.nextLong(), (int) random.nextLong());
    }
    content(pass);
    memory();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (pass == Pass.BACKWARD) {
      c.gradients = random.chance(0.3) ? type() : c.dtype;
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.35);
      wanted();
    }
    return c;
  }

  private void give(String operand, double probability) {
    if (random.chance(probability)) {
      c.with(operand);
    }
  }

  /** Any of the gradients, one at least. */
  private void wanted() {
    String first = random.pick("dx", "dx", "dx", "dbias", "dbias", "dgate", "dresidual");
    c.with(first);
    give("dx", 0.6);
    give("dbias", 0.4);
    give("dgate", 0.3);
    give("dresidual", 0.3);
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    int width = random.among(WIDTHS);
    double kind = random.nextDouble();
    if (kind < 0.2) {
      trimmed(batch, draws.tiny(), width, budget);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), width, budget);
    } else if (kind < 0.75) {
      trimmed(batch, random.between(1, 700), width, budget);
    } else if (kind < 0.88) {
      int wide = random.chance(0.5) ? WIDEST : random.between(1000, WIDEST);
      trimmed(random.among(1, 2), random.between(1, 20), wide, budget);
    } else {
      int few = random.among(1, 2, 4, 7, 8, 16, 17, 32, 64);
      int length = random.among(1023, 1024, 1025, 2049, 4097, random.between(900, 9000));
      trimmed(batch, length, few, largeBudget);
    }
    if (random.chance(0.04)) {
      ActivationSizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), none ? s.length() : 0, s.width());
    }
  }

  /** Affordable: fewer sequences, then rows. */
  private void trimmed(int batch, int length, int width, double most) {
    c.sizes(batch, length, width);
    while (c.sizes.elements() > most) {
      ActivationSizes s = c.sizes;
      if (s.batch() > 1) {
        c.sizes(s.batch() - 1, s.length(), width);
      } else {
        c.sizes(1, s.length() * 4 / 5, width);
      }
    }
  }

  private void content(Pass pass) {
    double kind = random.nextDouble();
    if (kind < 0.25) {
      c.content = Content.SPREAD;
    } else if (kind < 0.4) {
      c.content = random.pick(Content.OUTLIERS, Content.CONSTANT);
    } else if (kind < 0.5) {
      c.content = random.pick(Content.TINY, Content.SUBNORMAL);
    } else if (kind < 0.68) {
      c.content =
          random.pick(
              Content.LARGEST_IN_X,
              Content.INFINITY_IN_X,
              Content.NAN_IN_X,
              Content.INFINITY_BESIDE,
              Content.NAN_BESIDE,
              pass == Pass.BACKWARD ? Content.NAN_IN_DOUT : Content.INFINITY_IN_X);
    }
  }

  /** Rows that lie end to end in all operands are taken as one: that is common, too. */
  private void memory() {
    boolean dense = random.chance(0.35);
    for (String operand : ROWS) {
      c.style(operand, dense ? MatrixStyle.DENSE : MatrixStyle.draw(random));
      if (!dense && READ.contains(operand) && random.chance(0.05)) {
        c.shared(operand, random.nextInt(2));
      }
    }
    c.biasOffset = random.among(0, 0, 1, 3, 8);
  }
}

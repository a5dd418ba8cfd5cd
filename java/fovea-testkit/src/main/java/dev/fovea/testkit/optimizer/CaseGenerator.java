package dev.fovea.testkit.optimizer;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import java.util.List;

/**
 * Random cases over every feature. Case (seed, index) is a pure function of the numbers and of the
 * limits of the device's kind, so a failure is repeated by them alone. The size of a case is
 * bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Parameters that a usual case may have. */
  private static final int BUDGET = 20_000;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 20;

  /** N of the widest cases: more than two tiles of the CPU. */
  private static final int WIDEST = 70_001;

  /** The same of the simulator: more than two tiles of a GPU. */
  private static final int WIDEST_SIMULATED = 8_201;

  /** Around the widths of packets and vectors, of blocks of the CPU and of tiles of a GPU. */
  private static final int[] EDGES = {
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255,
    256, 257, 1000, 1023, 1024, 1025, 2047, 2048, 2050, 4092, 4095, 4096, 4097, 4100
  };

  private final Gaussian random;
  private final int budget;
  private final int widest;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    c.repeat = "--op %s --seed %d --case %d".formatted(OptimizerCases.OPERATION, seed, index);
    c.dataSeed = random.nextLong();
    budget = (int) Math.min(BUDGET, limits.tiles() * PER_TILE);
    widest = widest(limits);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static OptimizerCase generate(long seed, long index, Limits limits) {
    return new CaseGenerator(seed, index, limits).draw().build();
  }

  static int widest(Limits limits) {
    return limits.tiles() * PER_TILE < BUDGET ? WIDEST_SIMULATED : WIDEST;
  }

  private CaseBuilder draw() {
    c.rule = random.pick(Rule.ADAMW, Rule.ADAMW, Rule.LION, Rule.MOMENTUM, Rule.NESTEROV, Rule.SGD);
    c.dtype = random.chance(0.5) ? DType.FLOAT32 : type();
    c.out = random.chance(0.5);
    c.outDType = type();
    sizes();
    numbers();
    content();
    memory();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    c.parallelism = random.among(1, 1, 1, 2, 3);
    return c;
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5, 17, 40);
    double kind = random.nextDouble();
    if (kind < 0.45) {
      trimmed(batch, random.among(EDGES));
    } else if (kind < 0.9) {
      trimmed(batch, random.between(1, 700));
    } else if (kind < 0.93) {
      c.sizes(random.among(1, 1, 2), random.chance(0.7) ? widest : random.between(1000, widest));
    } else if (kind < 0.96) {
      trimmed(random.between(50, 400), random.between(1, 40));
    } else {
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : batch, none ? random.between(1, 40) : 0);
    }
  }

  private void trimmed(int batch, int count) {
    c.sizes(Math.max(1, Math.min(batch, budget / count)), count);
  }

  private void numbers() {
    float beta1 = random.pick(0.9f, 0.9f, 0.5f, 0.95f, 0.99f, 1f);
    float beta2 = random.pick(0.999f, 0.999f, 0.99f, 0.95f, 0f, 1f);
    float epsilon = random.pick(1e-8f, 1e-8f, 1e-5f, 0f);
    float decay = random.chance(0.4) ? 0 : random.pick(0.01f, 0.1f, 1e-4f);
    boolean plain = c.rule == Rule.LION || c.rule == Rule.ADAMW;
    c.numbers(plain && random.chance(0.1) ? 0 : beta1, beta2, epsilon, decay);
    c.step = random.among(1, 1, 2, 10, 100, 20_000);
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.4) {
      c.content = random.pick(Content.TINY, Content.SUBNORMAL, Content.ZEROS);
    } else if (kind < 0.6) {
      c.content = random.pick(Content.LARGEST, Content.INFINITY, Content.NAN, Content.NAN_IN_RATES);
    }
  }

  /** Rows without gaps are one, if they are so in every operand. */
  private void memory() {
    boolean dense = random.chance(0.4);
    for (String operand : List.of("gradient", "parameter", "mean", "square", "out")) {
      MatrixStyle style = MatrixStyle.draw(random);
      int gap = dense ? 0 : style.gap();
      c.style(operand, new MatrixStyle(false, style.offset(), gap, 0, style.absurd()));
    }
    c.sharedGradient = !dense && random.chance(0.06);
  }
}

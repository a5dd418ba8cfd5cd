package dev.fovea.testkit.crossentropy;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The size of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Logits that a usual case may have. */
  private static final double BUDGET = 6e4;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  /** V of the widest cases. */
  static final int WIDEST = 9001;

  private static final int[] CLASSES = {
    1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 20, 24, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128,
    129, 200, 255, 256, 257, 300, 512, 520, 1000, 1024
  };
  private static final int[] MANY_CLASSES = {2048, 2049, 3000, 4096, 4100, 5000, 8200, WIDEST};

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(Pass pass, long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    c.repeat =
        "--op %s%s --seed %d --case %d"
            .formatted(
                CrossEntropyCases.OPERATION,
                pass == Pass.BACKWARD ? " --pass " + pass : "",
                seed,
                index);
    c.dataSeed = random.nextLong();
    budget = Math.min(BUDGET, limits.tiles() * PER_TILE);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static CrossEntropyCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = type();
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    sizes();
    c.weights = random.chance(0.4);
    if (random.chance(0.5)) {
      c.smoothing =
          random.chance(0.1) ? 1 : random.chance(0.5) ? 0.1f : (float) random.nextDouble();
    }
    if (random.chance(0.4)) {
      c.ignored = random.chance(0.1) ? 1 : random.pick(0.1, 0.5);
    }
    c.lse = random.chance(0.8);
    c.content = random.chance(0.25) ? Content.NORMAL : random.pick(Content.values());
    memory();
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
    int classes = random.among(CLASSES);
    double kind = random.nextDouble();
    if (kind < 0.2) {
      trimmed(batch, draws.tiny(), classes);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), classes);
    } else if (kind < 0.75) {
      trimmed(batch, random.between(1, 300), random.between(1, 1500));
    } else {
      int many = random.chance(0.7) ? random.among(MANY_CLASSES) : random.between(1500, WIDEST);
      trimmed(random.among(1, 1, 2), random.between(1, 6), many);
    }
    if (random.chance(0.04)) {
      CrossEntropySizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), none ? s.length() : 0, s.classes());
    }
  }

  /** Affordable: fewer sequences and rows. */
  private void trimmed(int batch, int length, int classes) {
    c.sizes(batch, length, classes);
    while (c.sizes.elements() > budget) {
      CrossEntropySizes s = c.sizes;
      if (s.batch() > 2 || (s.batch() > 1 && s.length() == 1)) {
        c.sizes(s.batch() - 1, s.length(), classes);
      } else {
        c.sizes(s.batch(), s.length() * 4 / 5, classes);
      }
    }
  }

  /** Any, or one operand alone has rows apart, which decides whether packets of rows are whole. */
  private void memory() {
    String[] operands = {"logits", "targets", "class_weight", "out", "lse", "dout", "dlogits"};
    if (random.chance(0.2)) {
      MatrixStyle apart = new MatrixStyle(false, 0, random.among(1, 2, 4, 8), 0, false);
      c.style(random.pick("logits", "dlogits", random.pick(operands)), apart);
      c.guard = Side.BEGIN;
      return;
    }
    for (String operand : operands) {
      c.style(operand, MatrixStyle.draw(random));
    }
    if (random.chance(0.06)) {
      c.shared("logits");
    }
    if (random.chance(0.1)) {
      c.shared("dout");
    }
  }
}

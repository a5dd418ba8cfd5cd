package dev.fovea.testkit.embedding;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.embedding.CaseBuilder.Positions;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import dev.fovea.testkit.embedding.EmbeddingCase.Ids;

/**
 * Random cases over every feature. Case (seed, index) of a pass is a pure function of the numbers
 * and of the limits of the device's kind, so a failure is repeated by them alone. The size of a
 * case is bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of out and table that a usual case may have. */
  private static final double BUDGET = 1e5;

  /** The same for the few large cases. */
  private static final double LARGE_BUDGET = 4e5;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  /** D of the widest cases. */
  static final int WIDEST = 2050;

  private static final int[] WIDTHS = {
    1, 2, 3, 4, 5, 7, 8, 8, 12, 15, 16, 16, 17, 20, 24, 31, 32, 32, 33, 40, 48, 63, 64, 64, 64, 65,
    96, 100, 127, 128, 128, 129, 192, 256, 260, 384, 512
  };
  private static final int[] VOCABULARIES = {
    1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 26, 31, 32, 33, 50, 63, 64, 65, 100, 128, 200, 255, 257, 500
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
                EmbeddingCases.OPERATION,
                pass == Pass.BACKWARD ? " --pass " + pass : "",
                seed,
                index);
    c.dataSeed = random.nextLong();
    double most = limits.tiles() * PER_TILE;
    budget = Math.min(BUDGET, most);
    largeBudget = Math.min(LARGE_BUDGET, 3 * most);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static EmbeddingCase generate(Pass pass, long seed, long index, Limits limits) {
    return new CaseGenerator(pass, seed, index, limits).draw(pass).build();
  }

  private CaseBuilder draw(Pass pass) {
    c.dtype = type();
    c.outDType = random.chance(0.25) ? type() : c.dtype;
    c.backward = pass == Pass.BACKWARD;
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    sizes();
    positions();
    content();
    memory();
    c.ids = random.pick(Ids.ANY, Ids.ANY, Ids.SKEWED, Ids.SKEWED, Ids.SAME, Ids.DISTINCT);
    if (random.chance(0.4)) {
      c.scale(random.pick(1f, (float) Math.sqrt(c.sizes.width()), random.nextNormal(), -0.5f));
    }
    if (random.chance(0.35)) {
      c.padding(random.chance(0.5) ? 0 : random.nextInt(c.sizes.vocabulary()));
    }
    c.parallelism = random.among(1, 1, 1, 2, 3);
    if (c.backward) {
      c.deterministic = random.chance(0.3);
      c.accumulate = random.chance(0.35);
      boolean ofTable = c.positions == Positions.NONE || random.chance(0.75);
      c.gradients(ofTable, !ofTable || random.chance(0.75));
    }
    return c;
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4, 5);
    int width = random.among(WIDTHS);
    int vocabulary = random.among(VOCABULARIES);
    double kind = random.nextDouble();
    if (kind < 0.2) {
      trimmed(batch, draws.tiny(), vocabulary, width, budget);
    } else if (kind < 0.5) {
      trimmed(batch, draws.edge(), vocabulary, width, budget);
    } else if (kind < 0.7) {
      trimmed(batch, random.between(1, 900), random.between(1, 900), width, budget);
    } else if (kind < 0.8) {
      int wide = random.chance(0.7) ? WIDEST : random.between(513, WIDEST);
      trimmed(batch, random.between(1, 9), random.between(1, 9), wide, budget);
    } else if (kind < 0.87) { // many sequences of few tokens
      trimmed(random.between(20, 300), random.between(1, 9), vocabulary, width, budget);
    } else if (kind < 0.95) { // rows that few tokens are at, or none
      int few = random.among(1, 2, 4, 8, 16, 17, 32);
      trimmed(batch, random.between(1, 200), random.between(1000, 9000), few, largeBudget);
    } else { // ranges of rows that are listed each by itself, shares of tokens
      int few = random.among(1, 2, 3, 4, 8);
      trimmed(random.among(1, 3, 7), random.between(9000, 40000), vocabulary, few, largeBudget);
    }
    if (random.chance(0.04)) {
      EmbeddingSizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), none ? s.length() : 0, s.vocabulary(), s.width());
    }
  }

  /** Affordable: fewer sequences, then tokens or rows, whichever are more, and columns. */
  private void trimmed(int batch, int length, int vocabulary, int width, double most) {
    c.sizes(batch, length, vocabulary, width);
    while (c.sizes.elements() > most) {
      EmbeddingSizes s = c.sizes;
      int tokens = s.batch() * s.length();
      if (s.batch() > 2 && tokens > s.vocabulary()) {
        c.sizes(s.batch() * 4 / 5, s.length(), s.vocabulary(), s.width());
      } else if (tokens > Math.max(60, s.vocabulary())) {
        c.sizes(s.batch(), s.length() * 4 / 5, s.vocabulary(), s.width());
      } else if (s.vocabulary() > 60) {
        c.sizes(s.batch(), s.length(), s.vocabulary() * 4 / 5, s.width());
      } else if (s.batch() > 1) {
        c.sizes(s.batch() - 1, s.length(), s.vocabulary(), s.width());
      } else if (s.length() > 2 || s.vocabulary() > 2) {
        c.sizes(1, Math.max(1, s.length() / 2), Math.max(1, s.vocabulary() / 2), s.width());
      } else {
        c.sizes(1, s.length(), s.vocabulary(), s.width() * 4 / 5);
      }
    }
  }

  private void positions() {
    if (random.chance(0.4)) {
      return;
    }
    int length = c.sizes.length();
    Positions which =
        random.pick(
            Positions.ROWS,
            Positions.ROWS,
            Positions.SHARED,
            Positions.REPEATED,
            Positions.EACH,
            Positions.EACH);
    int more = random.chance(0.5) ? random.between(1, 20) : 0;
    int any = random.chance(0.1) ? 1 : random.between(1, 2 * length + 4);
    c.positions(which, which == Positions.ROWS || length == 0 ? length + more : any);
  }

  private void content() {
    double kind = random.nextDouble();
    if (kind < 0.2) {
      c.content = Content.OUTLIERS;
    } else if (kind < 0.28) {
      c.content = Content.CONSTANT;
    } else if (kind < 0.38) {
      c.content = random.pick(Content.TINY, Content.SUBNORMAL);
    } else if (kind < 0.53) {
      c.content = random.pick(Content.LARGEST, Content.INFINITY, Content.NAN);
    }
  }

  /** Any, or one operand alone has rows apart, which decides whether packets of rows are whole. */
  private void memory() {
    String[] operands = {
      "table", "ids", "positions", "position_ids", "out", "dout", "dtable", "dpositions"
    };
    if (random.chance(0.2)) {
      MatrixStyle apart = new MatrixStyle(false, 0, random.among(1, 2, 4, 8), 0, false);
      c.style(random.pick(operands), apart);
      c.guard = Side.BEGIN;
      return;
    }
    for (String operand : operands) {
      c.style(operand, MatrixStyle.draw(random));
    }
    if (random.chance(0.06)) {
      c.shared("table");
    }
    if (random.chance(0.06)) {
      c.shared("dout");
    }
  }
}

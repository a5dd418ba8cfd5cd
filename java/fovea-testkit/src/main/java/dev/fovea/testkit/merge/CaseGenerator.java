package dev.fovea.testkit.merge;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.SequenceDraws;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.merge.MergeCase.Content;
import dev.fovea.testkit.merge.MergeCase.Lses;

/**
 * Random cases over every feature. Case (seed, index) is a pure function of the numbers and of the
 * limits of the device's kind, so a failure is repeated by them alone. The size of a case is
 * bounded so that the oracle keeps up, and the simulator.
 */
public final class CaseGenerator {

  /** Elements of outs that a usual case may have. */
  private static final double BUDGET = 1e5;

  /** Of the budget, for each tile that a device may take. */
  private static final double PER_TILE = 100;

  /** Dv of the widest cases. */
  static final int WIDEST = 512;

  private static final int[] WIDTHS = {
    1, 2, 3, 4, 5, 7, 8, 8, 12, 15, 16, 16, 17, 20, 24, 31, 32, 32, 33, 40, 48, 63, 64, 64, 64, 65,
    80, 96, 100, 127, 128, 128, 128, 129, 192, 256, 260, 384, 512
  };
  private static final int[] PARTS = {
    1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33
  };

  private final Gaussian random;
  private final SequenceDraws draws;
  private final double budget;
  private final CaseBuilder c = new CaseBuilder();

  private CaseGenerator(long seed, long index, Limits limits) {
    random = new Gaussian(Gaussian.mix(Gaussian.mix(seed) + index));
    draws = new SequenceDraws(random);
    c.repeat = "--op %s --seed %d --case %d".formatted(MergeCases.OPERATION, seed, index);
    c.dataSeed = random.nextLong();
    budget = Math.min(BUDGET, limits.tiles() * PER_TILE);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  public static MergeCase generate(long seed, long index, Limits limits) {
    return new CaseGenerator(seed, index, limits).draw().build();
  }

  private CaseBuilder draw() {
    c.dtype = type();
    c.outDType = random.chance(0.25) ? type() : c.dtype;
    c.guard = random.pick(Side.BEGIN, Side.END, Side.END);
    sizes();
    c.lses =
        random.chance(0.02)
            ? Lses.NO_NUMBER
            : random.pick(
                Lses.NORMAL,
                Lses.NORMAL,
                Lses.SPREAD,
                Lses.EQUAL,
                Lses.DOMINATED,
                Lses.FAINT,
                Lses.LARGE);
    c.empty = random.chance(0.35);
    c.sinks = random.chance(0.4);
    c.sinksOffset = random.among(0, 0, 1, 3);
    c.lse = random.chance(0.6);
    content();
    memory();
    c.parallelism = random.among(1, 1, 1, 2, 3);
    return c;
  }

  private DType type() {
    return random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
  }

  private void sizes() {
    int batch = random.among(1, 1, 1, 2, 2, 3, 4);
    int parts = random.among(PARTS);
    int heads = random.among(1, 1, 2, 3, 4, 5, 8, 12, 16, 17, 40);
    int width = random.among(WIDTHS);
    double kind = random.nextDouble();
    if (kind < 0.35) {
      trimmed(batch, parts, draws.tiny(), heads, width);
    } else if (kind < 0.6) {
      trimmed(batch, parts, draws.edge(), heads, width);
    } else if (kind < 0.75) { // one position of many sequences, as of a decoder
      trimmed(random.between(1, 40), parts, 1, heads, width);
    } else if (kind < 0.87) { // few rows of many parts
      trimmed(1, random.between(34, 700), random.between(1, 4), random.between(1, 3), width);
    } else { // many rows
      int few = random.among(1, 2, 2, 3, 5);
      int narrow = random.among(1, 3, 8, 8, 16, 24);
      trimmed(batch, few, random.between(1, 1500), random.between(1, 50), narrow);
    }
    if (random.chance(0.05)) {
      MergeSizes s = c.sizes;
      boolean none = random.chance(0.5);
      c.sizes(none ? 0 : s.batch(), s.parts(), none ? s.length() : 0, s.heads(), s.width());
    }
  }

  /** Affordable: of what is most, four fifths, and again. */
  private void trimmed(int batch, int parts, int length, int heads, int width) {
    c.sizes(batch, parts, length, heads, width);
    while (c.sizes.elements() > budget) {
      MergeSizes s = c.sizes;
      if (s.length() > 9) {
        c.sizes(s.batch(), s.parts(), s.length() * 4 / 5, s.heads(), s.width());
      } else if (s.batch() > 2) {
        c.sizes(s.batch() * 4 / 5, s.parts(), s.length(), s.heads(), s.width());
      } else if (s.heads() > 3) {
        c.sizes(s.batch(), s.parts(), s.length(), s.heads() * 4 / 5, s.width());
      } else if (s.parts() > 9) {
        c.sizes(s.batch(), s.parts() * 4 / 5, s.length(), s.heads(), s.width());
      } else {
        c.sizes(1, s.parts(), Math.max(1, s.length() / 2), s.heads(), s.width());
      }
    }
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
    if (random.chance(0.2)) {
      int gap = random.among(1, 2, 4, 8);
      Style apart = Style.gaps(Style.DENSE.order(), 0, 0, 0, 0, gap);
      boolean ofOut = random.chance(0.5);
      c.styles(
          ofOut ? PartStyle.DENSE : new PartStyle(apart, false, 0, false),
          ofOut ? apart : Style.DENSE);
      c.guard = Side.BEGIN;
      return;
    }
    c.styles(PartStyle.draw(random), Style.draw(random));
    c.lseStyles(Style.drawInput(random), MatrixStyle.draw(random));
  }
}

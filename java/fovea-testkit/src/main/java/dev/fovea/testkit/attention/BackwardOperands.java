package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import java.util.Arrays;

/**
 * The input buffers of a backward case, as {@link Operands} has those of its forward. out and lse
 * are what a right forward gives, before gates of out: the oracle's, rounded to their dtypes. A
 * backward is held to the gradient formula with exactly these, so that it answers for its own
 * errors alone. Padding of dout, out and lse is NaN, and so is dout of about every other row that
 * sees no key.
 *
 * @param forward operands of the forward
 * @param dout buffer of dout
 * @param out buffer of out
 * @param lse buffer of lse
 * @param dkey what dkey holds before, NaN between its elements; null if it is not added to
 * @param dvalue what dvalue holds before, or null
 */
public record BackwardOperands(
    Operands forward, float[] dout, float[] out, float[] lse, float[] dkey, float[] dvalue) {

  /** Draws the operands of a case: a pure function of it. */
  public static BackwardOperands of(BackwardCase c) {
    Operands forward = Operands.of(c.forward());
    DType outType = c.forward().options().outDType();
    int[] cuQ = c.forward().geometry().cuQ();
    float[] dout =
        Operands.fill(c.forward(), c.layouts().dout(), cuQ, true, outType, 1, salt(c, 1));
    float[] dkey = c.accumulate() ? before(c, c.layouts().dkey(), 2) : null;
    float[] dvalue = c.accumulate() ? before(c, c.layouts().dvalue(), 3) : null;
    BackwardOperands all = of(c.forward(), forward, dout, dkey, dvalue);
    if (!c.layouts().dout().isShared()) {
      all.poisonDeadRows(c, new Gaussian(salt(c, 4)));
    }
    return all;
  }

  private void poisonDeadRows(BackwardCase c, Gaussian random) {
    Geometry g = c.geometry();
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          if (isDead(c.forward(), b, h, i) && random.chance(0.5)) {
            int at = c.forward().rowIndex(c.layouts().dout(), g.cuQ(), b, i, h);
            Arrays.fill(dout, at, at + g.valueHeadDim(), Float.NaN);
          }
        }
      }
    }
  }

  /** True if query {@code i} of a head sees no key, or keys with scores of -infinity alone. */
  boolean isDead(AttentionCase c, int b, int h, int i) {
    return lse[c.lseIndex(c.geometry().cuQ(), b, h, i)] == Float.NEGATIVE_INFINITY;
  }

  /** With out and lse of that forward. */
  static BackwardOperands of(
      AttentionCase c, Operands forward, float[] dout, float[] dkey, float[] dvalue) {
    Oracle.Outputs outputs = Oracle.ungated(c, forward, Precision.CPU);
    float[] out = Operands.poisoned(c.layouts().out());
    float[] lse = Operands.poisoned(c.layouts().lse());
    Geometry g = c.geometry();
    int[] cuQ = g.cuQ();
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int at = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
          for (int d = at; d < at + g.valueHeadDim(); d++) {
            out[d] = Rounding.round(c.options().outDType(), outputs.out().value(d));
          }
          at = c.lseIndex(cuQ, b, h, i);
          lse[at] = (float) outputs.lse().value(at);
        }
      }
    }
    return new BackwardOperands(forward, dout, out, lse, dkey, dvalue);
  }

  /** Any numbers, padding included: an accumulating kernel must leave those as they are. */
  private static float[] before(BackwardCase c, Layout layout, int salt) {
    float[] buffer = Operands.poisoned(layout);
    Gaussian random = new Gaussian(salt(c, salt));
    long[] size = layout.size();
    for (int a = 0; a < size[0]; a++) {
      for (int i = 0; i < size[1]; i++) {
        for (int h = 0; h < size[2]; h++) {
          for (int d = 0; d < size[3]; d++) {
            buffer[layout.at(a, i, h) + d] = Rounding.round(c.dtype(), random.nextNormal());
          }
        }
      }
    }
    return buffer;
  }

  /** Not one of the forward's seeds. */
  private static long salt(BackwardCase c, int salt) {
    return Gaussian.mix(Gaussian.mix(c.forward().dataSeed()) + salt);
  }
}

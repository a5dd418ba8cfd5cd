package dev.fovea.testkit.merge;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import java.util.HashMap;
import java.util.Map;

/**
 * Naive merge in float64 over the exact values of the operands, by the formulas of fovea.h, with
 * the error that a right kernel may make. Nothing here is tiled or shared with any backend.
 *
 * <p>Bounds, with u = 2^-24, m the largest lse of a row and its sink, x_p = lse_p - m, w_p =
 * exp(x_p) and S their sum over n terms:
 *
 * <ul>
 *   <li>x_p, a difference of two float32, is rounded once, the factor of log2 e and the product
 *       with it once each: an exponent that is off by 3 u |x_p|. A power of two is right to 5 u (a
 *       GPU's to 2 ulp, which are 4 u). So w_p has a relative error of e_p = u (3 |x_p| + 5),
 *       however large the lses are: only what they differ by is in it, and where that is much, w_p
 *       is nothing. Powers below 2^-126 may be flushed.
 *   <li>S errs by sum_p w_p e_p, and by (n - 1) u S in any order of its positive terms.
 *   <li>The weight w_p / S comes by a division and a product: e_p + s + 2 u, with s the relative
 *       error of S; or it is subnormal.
 *   <li>The sum of t_p = w_p / S out_p is taken in the order of parts, so that all its parts T_k
 *       are known: each step adds u |t_k| of the product and u |T_k|.
 *   <li>lse = m + ln S: s of S, 4 u max(1, ln S) of a logarithm (by the one of base 2, which is
 *       right to 1.7 u of the larger of 1 and itself, and a product with ln 2), and its rounding.
 * </ul>
 *
 * <p>Products of errors are below a thousandth of these for fewer than 10,000 parts.
 *
 * <p>Parts that are more than 88 below add nothing; those between 87 and 88 may do so. Infinities
 * and NaN of what is added follow IEEE 754.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double SECOND_ORDER = 1.001;
  private static final double FLUSHED = 0x1p-126;
  private static final double SUBNORMAL = 0x1p-149;
  private static final double PERHAPS_NOTHING = 87;

  private final MergeCase c;
  private final MergeSizes s;
  private final Operands data;

  private Oracle(MergeCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(MergeCase c, Operands data) {
    Map<String, Expected> outputs = new HashMap<>();
    outputs.put("out", new Expected(c.outDType(), c.layout("out").elements()));
    if (c.has("lse")) {
      outputs.put("lse", new Expected(DType.FLOAT32, c.layout("lse").elements()));
    }
    Oracle oracle = new Oracle(c, data);
    for (int b = 0; b < c.sizes().batch(); b++) {
      for (int i = 0; i < c.sizes().length(); i++) {
        for (int h = 0; h < c.sizes().heads(); h++) {
          oracle.row(outputs.get("out"), outputs.get("lse"), b, h, i);
        }
      }
    }
    return outputs;
  }

  /** What is known of a row before its columns. */
  private final class Row {
    final double largest;
    final double[] weight = new double[s.parts()]; // 0 where a part adds nothing
    final double[] error = new double[s.parts()]; // relative
    final double[] below = new double[s.parts()];
    double sum;
    double sumError; // relative

    Row(int b, int h, int i) {
      largest = data.largest(c, b, h, i);
      double ofPowers = 0;
      for (int p = 0; p < s.parts(); p++) {
        if (data.counts(c, largest, p, b, h, i)) {
          below[p] = largest - data.lse(c, p, b, h, i);
          weight[p] = Math.exp(-below[p]);
          error[p] = UNIT * (3 * below[p] + 5);
          sum += weight[p];
          ofPowers += weight[p] * error[p] + FLUSHED;
        }
      }
      double sink = data.sink(c, h);
      if (sink != Double.NEGATIVE_INFINITY) {
        double power = Math.exp(sink - largest);
        sum += power;
        ofPowers += power * UNIT * (3 * (largest - sink) + 5) + FLUSHED;
      }
      sumError = SECOND_ORDER * (ofPowers / sum + s.parts() * UNIT);
    }

    boolean isNumber() {
      return !Double.isNaN(largest) && largest != Double.POSITIVE_INFINITY;
    }

    boolean isEmpty() {
      return largest == Double.NEGATIVE_INFINITY;
    }
  }

  private void row(Expected out, Expected lse, int b, int h, int i) {
    Row row = new Row(b, h, i);
    int to = c.outAt(b, i, h);
    for (int e = 0; e < s.width(); e++) {
      if (!row.isNumber()) {
        out.expect(to + e, Double.NaN, 0);
      } else if (row.isEmpty()) {
        out.expect(to + e, 0, 0);
      } else {
        element(out, to + e, row, b, h, i, e);
      }
    }
    if (lse == null) {
      return;
    }
    int at = c.lseAt(b, h, i);
    if (!row.isNumber() || row.isEmpty()) {
      lse.expect(at, row.isEmpty() ? row.largest : Double.NaN, 0);
      return;
    }
    double logarithm = Math.log(row.sum);
    double error = row.sumError + 4 * UNIT * Math.max(1, logarithm);
    lse.expectRounded(at, row.largest + logarithm, SECOND_ORDER * error);
  }

  private void element(Expected out, int at, Row row, int b, int h, int i, int e) {
    double sum = 0;
    double error = 0;
    boolean free = false;
    for (int p = 0; p < s.parts(); p++) {
      if (row.weight[p] == 0) {
        continue;
      }
      double element = data.get("outs")[c.outsAt(p, b, i, h) + e];
      double term = row.weight[p] / row.sum * element;
      boolean perhapsNothing = row.below[p] > PERHAPS_NOTHING;
      free |= perhapsNothing && !Double.isFinite(element);
      sum += term;
      double ofWeight = perhapsNothing ? 1 : row.error[p] + row.sumError + 2 * UNIT;
      error += (ofWeight + UNIT) * Math.abs(term) + SUBNORMAL * Math.abs(element) + FLUSHED;
      error += UNIT * (Math.abs(sum) + error);
    }
    if (free) {
      out.free(at, sum);
    } else if (Double.isFinite(sum)) {
      out.expectRounded(at, sum, SECOND_ORDER * error);
    } else {
      out.expect(at, sum, 0);
    }
  }
}

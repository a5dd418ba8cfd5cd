package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Sigmoid;
import dev.fovea.testkit.TopWeights;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/**
 * Naive attention in float64 over the exact values of the operands, with the error that a right
 * kernel may make. Nothing here is tiled, rescaled or shared with any backend.
 *
 * <p>Definition and bounds: the project's specification (semantics.md). Additions to its bounds,
 * with c = 4e-7, its constant for float32 arithmetic:
 *
 * <ul>
 *   <li>A bias b_ij is a float32 sum away from the score, so the score is off by up to c |b_ij|
 *       more. An error dx_j of the scores moves out_i by sum_j w_j dx_j v_j - out_i sum_j p_j dx_j,
 *       hence the terms c sum_j w_j |b_j| |v_j| + c |ref| (sum_j p_j |b_j| + p_sink |sink|).
 *   <li>A float32 sum over n keys, in out and in the denominator, errs by at most 2^-24 times the
 *       partial sum at every step. With signs at random that is a standard deviation of at most
 *       2^-24 sqrt(n/3) times the sum of absolute values; 2 sqrt(n) 2^-24 of it is allowed, 3.5
 *       standard deviations beside what c leaves (Higham, Mary, SIAM J. Sci. Comput. 41, 2019).
 *       Constant data err the same way at every step: n 2^-24, and D 2^-24 in place of c for the
 *       scores, where lse or a sink sees what softmax alone cancels (Higham, Accuracy and Stability
 *       of Numerical Algorithms, sec. 4.2).
 *   <li>With a content bias u, a position bias w and keys of distances r, what is said of q_d k_jd
 *       is said of (q_d + u_d) k_jd and (q_d + w_d) r_td, where sums of queries and biases are as
 *       the type of query holds them, and sums over d are over both. The sum of the two products is
 *       a float32 rounding, which adds 2^-24 to c.
 *   <li>A product of outliers keeps the partial sum of a score at its size, so that each of the D
 *       steps rounds like a step of the sums above: 2 sqrt(D) 2^-24 in place of c there.
 *   <li>Below the smallest normal number of the output's dtype rounding errs by half the smallest
 *       subnormal, not by u |ref|. Weights rounded to float16 do so too, relative to the largest
 *       times 2^13: a kernel has to multiply them by as much, see {@link Precision}.
 *   <li>Scales of a cache multiply a score, or a weight before its product, once more: 2^-24 of
 *       either; scales of queries a score, too. A weight that its scale leaves below the normal
 *       numbers may be flushed before it is multiplied by a code.
 *   <li>weights: p_ij is exp(x_ij - lse_i), so its relative error is the sum of the errors of x_ij
 *       and lse_i and that of the difference.
 *   <li>What products in TF32 add: see {@link RoundedFactors}; what those of e4m3 do: {@link
 *       Float8Row}.
 *   <li>The root mean square counts errors as independent ones, of weights with a variance of u^2/6
 *       w^2. A row with one weight has one such error, whatever the number of its columns, and rows
 *       that see the same key the same; where cached values are of few kinds, so are the errors of
 *       its results. None of it is left to chance: the largest weight of a row is 1 before its gate
 *       and dropout's factor, by its maximum, and the product takes round(w) for w = gate * factor,
 *       or round(gate) times the factor. An element is then round(round(w) / w * ref), which is
 *       known, and counted as {@link Expected#countKnown}. A bound of 1.3 breaks for w just above a
 *       power of two, whose error is u w: six times its variance. With scales the largest weight is
 *       no longer 1, so that rows of few keys have few errors, of full size, for all of their
 *       columns: they are counted by {@link Expected#countRow}.
 *   <li>Tensor cores cut where float32 arithmetic rounds; see below.
 *   <li>A gate of a key multiplies its weight in the product and adds its own error times p_ij
 *       |v_j|; one of out multiplies the sum, error and all, and adds its own times |sum|, see
 *       {@link dev.fovea.testkit.Sigmoid}.
 *   <li>lse is held to the specification's 1e-5 max(1, max |lse|) row by row, with the row's own
 *       |lse|, as long as the row's float32 error is not larger.
 * </ul>
 *
 * <p><b>Tensor cores.</b> A step adds N exact products to the sum so far: N = 8 of 16-bit factors
 * from compute capability 8.0 on, 16 from 9.0 on, half as many of TF32. Let 2^e be the largest
 * exponent of its N + 1 terms, at most their largest size. All are cut toward zero to multiples of
 * 2^(e-24), from 9.0 on 2^(e-25), and added exactly, and the sum is cut to float32 (Fasi, Higham,
 * Mikaitis, Pranesh, PeerJ Computer Science 7:e330, 2021; Xie, Wang, Yang, Yang, arXiv 2511.10909).
 *
 * <ul>
 *   <li>The largest term is not cut, so each of n products costs less than 2^-24 times the partial
 *       sum of sizes: no more than a step of the float32 sums above, with the sign of the product
 *       where those have one at random. The bounds are the same.
 *   <li>A sum in the binade of 2^e has one bit too many (two of 25) and loses at most half of 2^-23
 *       |sum| in a step of 8 (three quarters in one of 16), always toward zero. In n / 8 + 2 steps,
 *       of which the first and the last may be partly masked, that is (n/16 + 1) 2^-23 times the
 *       sum of sizes. Where the sum rises to a higher binade it loses up to as much again, over a
 *       whole climb no more than 2^-23 of its last, and nothing where it falls. Together (n/16 + 2)
 *       2^-23 sum_j w_j |v_j|, and (D/16 + 2) 2^-23 scale sum_d |q_d k_jd| for a score; with TF32,
 *       whose steps are half as long, n/8 and D/8.
 *   <li>A factor of float16 below its smallest normal number, 2^-14, is aligned as it is stored, as
 *       if it were no smaller: the largest exponent is then that of a larger product, and even the
 *       largest term may be cut. Sizes in these bounds, and in those of the same sums by float32
 *       arithmetic, are therefore of max(|x|, 2^-14) for a factor x that is not 0, and relative to
 *       the largest weight for a weight.
 *   <li>Products of float32 are three of TF32, whose sum over 8 columns of k starts at zero and
 *       joins the others by a float32 addition. The smaller two err by 2^-11 times less. The
 *       largest takes two steps of 4: of each, four terms are cut and the sum, by less than 5 2^-24
 *       times P, the sum of sizes of the 8 products: either |sum| &lt; 2^(e+1), and it loses
 *       2^(e-24) like the terms, or 2^(e+1) is at most P, and it loses 2^-23 P and the terms 4
 *       2^(e-24). (One step of 8, from 9.0 on, loses less.) That is 5 2^-23 of the sum of sizes,
 *       however many steps there are.
 *   <li>Scores that are off by dx_j move out and lse as rounded factors do, see {@link
 *       RoundedFactors}: with A_j = scale sum_d |q_d k_jd| and |dx_j| at most t A_j, lse by at most
 *       H = sum_j p_j (exp(t A_j) - 1), weights by a factor of exp(t A_j) (1 + H), out by (1 + H)
 *       sum_j (exp(t A_j) - 1) |w_j v_j - p_j out|.
 * </ul>
 */
public final class Oracle {

  /** Room above a unit roundoff for second-order terms. */
  static final double SLACK = 1.02;

  /** exp may flush what is not a normal float32. */
  static final double FLUSHED = 0x1p-125;

  private final AttentionCase c;
  private final Operands data;
  private final Precision precision;
  private final Geometry geometry;
  private final Options options;
  private final int[] cuQ;
  private final int[] cuK;
  private final Expected out;
  private final Expected lse;
  private final Expected weights;
  private final Expected ungated;
  private final boolean gates; // of out
  private final double perScore;
  private final double cutScore;
  private final double dropFactor;
  private final double largestCode; // that a scaled weight is multiplied by; 0: none has a scale
  private final OracleHead head;
  private final RoundedFactors rounded; // null: products take their factors as they are
  private final DType products; // the type of their factors
  private final Float8Row float8; // null: that is another
  private OracleRow row;
  private double[] onlyWeight; // see onlyWeight()
  private double rowSquares; // of errors of a row's weights: E_r of Float8Row

  /** Expected outputs; all but out are null where the case does not ask for them. */
  public record Outputs(
      Expected out,
      Expected lse,
      Expected weights,
      Expected topWeights,
      Expected topKeys,
      Expected ungated) {

    List<Expected> all() {
      return Arrays.asList(out, lse, weights, topWeights, topKeys, ungated);
    }
  }

  private Oracle(AttentionCase c, Operands data, Precision precision, boolean gates) {
    this.c = c;
    this.data = data;
    this.precision = precision;
    geometry = c.geometry();
    options = c.options();
    cuQ = geometry.cuQ();
    cuK = geometry.cuK();
    out = new Expected(options.outDType(), c.layouts().out().elements());
    lse = options.lse() ? new Expected(DType.FLOAT32, c.layouts().lse().elements()) : null;
    weights =
        options.weights() ? new Expected(DType.FLOAT32, c.layouts().weights().elements()) : null;
    ungated =
        options.gates().ungated()
            ? new Expected(options.outDType(), c.layouts().ungated().elements())
            : null;
    this.gates = gates && options.gates().hasOutput();
    double factorUnit = precision.factorUnit(options);
    rounded = factorUnit > 0 ? new RoundedFactors(factorUnit, c) : null;
    products = precision.products(c);
    float8 = products == DType.FLOAT8_E4M3 ? new Float8Row(c) : null;
    head = new OracleHead(c, data, precision, rounded);
    perScore = head.perScore();
    cutScore = truncation(geometry.headDim());
    dropFactor = OracleRow.dropFactor(options);
    boolean scaled = data.cache().valueScales() != null && c.cache().isQuantized();
    largestCode = scaled ? 1 + Quantization.most(c.cache().type()) : 0;
  }

  /** Computes a case. */
  public static Outputs run(AttentionCase c, Operands data, Precision precision) {
    return new Oracle(c, data, precision, true).run();
  }

  /** The same with the gates of out left aside: what a backward takes for out. */
  static Outputs ungated(AttentionCase c, Operands data, Precision precision) {
    return new Oracle(c, data, precision, false).run();
  }

  /** Of so many products; of e4m3 what is cut of each is more than float32 arithmetic rounds. */
  private double truncation(int terms) {
    double cut = precision.truncation(products, options.allowTf32(), terms);
    double more = Precision.FLOAT8_CUT / Rounding.unit(DType.FLOAT32);
    return float8 == null ? cut : cut + more * head.summation(terms);
  }

  /** Of the values of so many keys. */
  private double valueTruncation(int keys) {
    return truncation(float8 == null ? keys : Math.min(keys, Precision.FLOAT8_KEYS));
  }

  private Outputs run() {
    for (int b = 0; b < geometry.batch(); b++) {
      for (int kv = 0; kv < geometry.keyHeads(); kv++) {
        boolean poisoned = head.load(b, kv);
        for (int h = kv * geometry.group(); h < (kv + 1) * geometry.group(); h++) {
          for (int i = 0; i < geometry.lenQ(b); i++) {
            row(b, h, i, poisoned);
          }
          if (!geometry.packed()) {
            for (int i = geometry.lenQ(b); i < geometry.queryLength(); i++) {
              padding(b, h, i);
            }
          }
        }
      }
    }
    boolean top = options.top() > 0;
    return new Outputs(
        out,
        lse,
        weights,
        top ? TopWeights.written(c.layouts().topWeights()) : null,
        top ? TopWeights.written(c.layouts().topKeys()) : null,
        ungated);
  }

  /** A query row behind its sequence: out = 0, lse = -inf, weights = 0. */
  private void padding(int b, int h, int i) {
    int at = c.layouts().out().at(b, i, h);
    int ungatedAt = ungated == null ? 0 : c.layouts().ungated().at(b, i, h);
    for (int d = 0; d < geometry.valueHeadDim(); d++) {
      out.expect(at + d, 0, 0);
      if (ungated != null) {
        ungated.expect(ungatedAt + d, 0, 0);
      }
    }
    if (lse != null) {
      lse.expect(c.lseIndex(cuQ, b, h, i), Double.NEGATIVE_INFINITY, 0);
    }
    if (weights != null) {
      expectZero(weightsRow(b, h, i), 0);
    }
  }

  /** Weights of keys that are padding. */
  private void expectZero(int at, int begin) {
    for (int j = begin; j < geometry.keyLength(); j++) {
      weights.expect(at + j, 0, 0);
    }
  }

  private void row(int b, int h, int i, boolean poisoned) {
    row = head.scores(h, i);
    int begin = head.begin();
    double[] values = head.values().value();
    double sink = data.sinks() == null ? Double.NEGATIVE_INFINITY : data.sinks()[h];
    row.softmax(sink);
    head.drop(h, i);
    double largest = float8 == null ? row.largestWeight() : row.largestKeyWeight();
    double leastWeight = precision.leastWeight(products) * dropFactor * largest;
    row.product(head.values(), begin, geometry.valueHeadDim(), leastWeight);
    if (cutScore > 0) {
      row.cut(values, begin, geometry.valueHeadDim(), cutScore);
    }
    if (float8 != null) {
      float8.weigh(row, head);
    }
    if (rounded != null) {
      rounded.weigh(row, values, begin);
    }
    onlyWeight = onlyWeight(b, h, begin);
    // A NaN that this row does not see may or may not have been multiplied by zero.
    boolean hidNaN = head.hidNaN();
    boolean free = (poisoned || hidNaN) && !row.sawNaN(values, begin, geometry.valueHeadDim());
    expectOut(b, h, i, free);
    boolean scoresFree = free && (hidNaN || c.content() == Content.NAN_IN_KEY);
    if (lse != null) {
      expectLse(c.lseIndex(cuQ, b, h, i), scoresFree);
    }
    if (weights != null) {
      expectWeights(weightsRow(b, h, i), begin, geometry.lenK(b), scoresFree);
    }
  }

  /**
   * What rounding may multiply the weight of the row by, if it has only one; else nothing. With the
   * kept weights' factor or before that, with the scale of its value or without, and on either side
   * of what its gate may err by.
   */
  private double[] onlyWeight(int b, int h, int begin) {
    int key = precision.weightUnit(products) > 0 && float8 == null ? row.onlyKey() : -1;
    if (key < 0 || row.gateError(key) >= row.dropped(key)) {
      return new double[0];
    }
    double weight = row.dropped(key) / row.weight(key);
    double error = row.gateError(key) / row.weight(key);
    double factor = options.dropout() > 0 ? dropFactor : 1;
    int head = h / geometry.group();
    double scale =
        c.cache() == null ? 1 : c.cache().valueScale(data.cache(), geometry, b, begin + key, head);
    return Arrays.stream(new double[] {weight - error, weight + error})
        .flatMap(w -> DoubleStream.of(w, w / factor))
        .flatMap(w -> DoubleStream.of(w, w * scale))
        .map(this::byRounding)
        .toArray();
  }

  private double byRounding(double weight) {
    // Below the normal numbers of float16 it is a larger one that is rounded.
    double times = weight < 0x1p-14 ? Precision.FORWARD_WEIGHTS : 1;
    double rounded = Rounding.round(products, times * weight) / (times * weight);
    return Double.isInfinite(rounded) ? 1 : rounded; // what has no number is multiplied elsewhere
  }

  private void expectOut(int b, int h, int i, boolean free) {
    int outRow = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
    int ungatedRow = ungated == null ? 0 : c.rowIndex(c.layouts().ungated(), cuQ, b, i, h);
    rowSquares = 0;
    for (int d = 0; d < geometry.valueHeadDim(); d++) {
      double gate = 1;
      double gateError = 0;
      if (gates) {
        double logit = head.outputGate(h, i, d);
        gate = Sigmoid.of(logit);
        gateError = Sigmoid.error(logit, 0) + Sigmoid.UNIT * gate;
      }
      if (free) {
        out.free(outRow + d, gate * row.out(d));
      } else {
        expectOut(out, outRow + d, d, gate, gateError);
      }
      if (ungated != null && free) {
        ungated.free(ungatedRow + d, row.out(d));
      } else if (ungated != null) {
        expectOut(ungated, ungatedRow + d, d, 1, 0);
      }
    }
    if (float8 != null) {
      out.countRow(float8.ofRow(rowSquares));
    } else if (largestCode > 0) {
      out.countRow(rowSquares);
    }
  }

  /** Of the sum of a column, times a gate with an error. */
  private void expectOut(Expected out, int index, int d, double gate, double gateError) {
    double sum = row.out(d);
    double exact = gate * sum;
    if (Double.isNaN(exact)) {
      out.expect(index, exact, 0);
      return;
    }
    DType outType = options.outDType();
    double unit = Rounding.unit(outType);
    double arithmetic =
        perScore
                * ((1 + row.largestScore()) * row.absolute(d)
                    + row.biasedAbsolute(d)
                    + Math.abs(sum) * row.biasError())
            + head.summation(row.count()) * (row.aligned(d) + Math.abs(sum))
            + head.perScale() * row.absolute(d)
            + row.gated(d)
            + FLUSHED * dropFactor * (row.plain(d) + row.count() * largestCode);
    double cut = valueTruncation(row.count()) * row.aligned(d) + (1 + row.cutGrowth()) * row.cut(d);
    if (float8 == null || float8.isConstant()) {
      arithmetic += cut;
      cut = 0;
    }
    double output = SLACK * unit * Math.abs(exact);
    if (exact != 0) {
      output = Math.max(output, Rounding.subnormalHalf(outType));
    }
    double weight = 0;
    double weightVariance = 0;
    double weightUnit = precision.weightUnit(products);
    if (float8 != null) {
      weight = float8.weights(row, d) + float8.cut(cut, d);
      weightVariance = float8.variance(d);
      rowSquares += weightVariance;
    } else if (weightUnit > 0) {
      weight = SLACK * weightUnit * row.absolute(d);
      weightVariance = weightUnit * weightUnit / 6 * row.squares(d);
      rowSquares += largestCode > 0 && out == this.out ? weightVariance : 0;
      if (products == DType.FLOAT16) {
        weight +=
            Rounding.subnormalHalf(DType.FLOAT16)
                / Precision.FORWARD_WEIGHTS
                * dropFactor
                * row.largestWeight()
                * row.plain(d);
      }
    }
    if (rounded != null) {
      weight = SLACK * (rounded.scores(d) + rounded.product(row, d));
      weightVariance = rounded.variance(row, d);
    }
    arithmetic = (gate + gateError) * arithmetic + gateError * (Math.abs(sum) + weight);
    weight *= gate;
    out.expect(index, exact, weight + output + arithmetic);
    double rounding = Rounding.round(outType, exact) - exact;
    double outputVariance = unit * unit / 6 * exact * exact;
    weightVariance *= gate * gate;
    if (float8 != null) {
      double definition = float8.definition(d);
      double squares = float8.cutSquares(d);
      out.countDefined(weightVariance, outputVariance, rounding, arithmetic, definition, squares);
      return;
    }
    if (onlyWeight.length == 0) {
      out.count(weightVariance, outputVariance, rounding, arithmetic);
      return;
    }
    double known = 0;
    for (double factor : onlyWeight) {
      known = Math.max(known, Math.abs(Rounding.round(outType, factor * exact) - exact));
    }
    out.countKnown(weightVariance, outputVariance, rounding, arithmetic, known);
  }

  private int weightsRow(int b, int h, int i) {
    Layout layout = c.layouts().weights();
    return geometry.packed() ? layout.at(0, h, cuQ[b] + i) : layout.at(b, h, i);
  }

  private void expectLse(int index, boolean free) {
    double exact = row.lse();
    if (free) {
      lse.free(index, exact);
      return;
    }
    double moved = rounded == null ? 0 : rounded.lse();
    double error =
        Double.isInfinite(exact)
            ? 0
            : Math.max(1e-5 * Math.max(1, Math.abs(exact)), lseArithmetic() + moved);
    lse.expect(index, exact, error);
  }

  private double lseArithmetic() {
    double cut = float8 == null ? row.cutGrowth() : float8.lse(row.cutGrowth());
    return perScore * (1 + row.largestScore() + row.biasError())
        + cut
        + head.summation(row.count());
  }

  private void expectWeights(int at, int begin, int length, boolean free) {
    if (free) {
      weights.set(at, at + length, Expected.FREE);
    } else {
      double common = lseArithmetic();
      for (int j = 0; j < length; j++) {
        boolean seen = j >= begin && j < begin + row.count() && !row.isHidden(j - begin);
        if (!seen && Double.isNaN(row.lse())) {
          // exp(-inf - NaN): NaN by the formula, 0 by common sense.
          weights.set(at + j, at + j + 1, Expected.FREE);
          continue;
        }
        double p = seen ? row.weight(j - begin) : 0;
        double error = 0;
        if (p > 0) {
          // x_ij's own error, lse's, and two roundings of their difference inside exp.
          double relative =
              common + row.error(j - begin) * perScore + row.product(j - begin) * cutScore;
          if (rounded != null) {
            relative += rounded.weight(j - begin);
          }
          error = p * (relative + 2 * 0x1p-24 * (1 + Math.abs(Math.log(p)))) + FLUSHED;
        } else if (seen && row.score(j - begin) > Double.NEGATIVE_INFINITY) {
          error = FLUSHED;
        }
        weights.expect(at + j, p, error);
      }
    }
    expectZero(at, length);
  }
}

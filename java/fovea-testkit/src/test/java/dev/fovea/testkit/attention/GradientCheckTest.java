package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * The gradients of the backward oracle against directional derivatives of the forward oracle.
 * Operands are 16-bit numbers and steps powers of two, so that x - h and x + h are exact in float.
 * What differs is the fourth power of h, and what the rounding of out and lse to float32 does,
 * which the bounds of float32 kernels hold.
 */
class GradientCheckTest {

  private static final int CASES = 400;
  private static final double STEP = 0x1p-7;
  private static final double TRUNCATION = 1e-7;

  /** A small case of any features; every tensor has a gradient. */
  private static BackwardCase draw(int index) {
    Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
    CaseBuilder c = new CaseBuilder().outDType(DType.FLOAT32);
    c.dtype(random.pick(DType.FLOAT16, DType.BFLOAT16));
    int batch = random.between(1, 3);
    c.lengths(batch, random.between(1, 9), random.between(1, 11));
    int keyHeads = random.between(1, 2);
    c.heads(keyHeads * random.between(1, 3), keyHeads);
    c.headDim(random.between(1, 9), random.between(1, 9));
    int[] queries = new int[batch];
    int[] keys = new int[batch];
    for (int b = 0; b < batch; b++) {
      queries[b] = random.between(0, c.queryLength);
      keys[b] = random.between(0, c.keyLength);
    }
    switch (random.nextInt(4)) {
      case 0 -> c.ragged(queries, random.chance(0.5) ? keys : null);
      case 1 -> c.ragged(null, keys);
      case 2 -> c.packed(queries, keys);
      default -> {}
    }
    c.causal = random.chance(0.4);
    c.topLeft = random.chance(0.3);
    c.window(random.chance(0.3) ? random.between(0, 4) : -1, random.chance(0.3) ? 2 : -1);
    c.scale = random.pick(null, null, 0.5f, -0.25f, 0f);
    c.softcap = random.pick(0f, 0f, 0.5f, 3f);
    if (random.chance(0.5)) {
      Bias[] all = Bias.values();
      c.bias(all[1 + random.nextInt(all.length - 1)], DType.FLOAT16);
      c.biasExpanded = random.chance(0.3);
    }
    c.alibi(random.pick(Alibi.values()));
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      if (random.chance(0.5)) {
        Bias[] all = Bias.values();
        c.row(new RowOperand(kind, 3, all[1 + random.nextInt(all.length - 1)]));
      }
    }
    c.sinks = random.chance(0.4);
    if (random.chance(0.4)) {
      c.dropout(random.pick(0.1f, 0.5f), random.nextLong(), index);
    }
    c.content(
        c.bias != Bias.NONE && random.chance(0.4) ? Content.BIAS_HOLES : Content.NORMAL, index);
    Style shared = Style.DENSE.withBroadcast(random.among(0, 2));
    c.styles(
        Style.draw(random),
        random.chance(0.2) ? shared : Style.draw(random),
        random.chance(0.2) ? shared : Style.draw(random),
        Style.draw(random));
    BackwardBuilder backward = new BackwardBuilder(c).dtype(DType.FLOAT32);
    if (random.chance(0.2)) {
      backward.accumulate();
    }
    Style dout = Style.drawInput(random);
    Style dquery = Style.draw(random);
    Style dkey = Style.draw(random);
    return backward.styles(dout, dquery, dkey, Style.draw(random), Style.draw(random)).build();
  }

  /** Slopes and sinks of few bits, like the rest. */
  private static BackwardOperands operands(BackwardCase c) {
    Operands drawn = Operands.of(c.forward());
    Operands data =
        new Operands(
            drawn.query(),
            drawn.key(),
            drawn.value(),
            drawn.bias(),
            shortened(drawn.alibi()),
            drawn.rows().stream().map(GradientCheckTest::smooth).toList(),
            shortened(drawn.sinks()));
    BackwardOperands all = BackwardOperands.of(c);
    return BackwardOperands.of(c.forward(), data, all.dout(), all.dkey(), all.dvalue());
  }

  /** Away from where a span begins or ends to fall. */
  private static float[] smooth(float[] values) {
    float[] halves = new float[values.length];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = (float) Math.floor(values[i]) + 0.5f;
    }
    return halves;
  }

  private static float[] shortened(float[] values) {
    if (values == null) {
      return null;
    }
    float[] few = new float[values.length];
    for (int i = 0; i < few.length; i++) {
      few[i] = Rounding.round(DType.BFLOAT16, values[i]);
    }
    return few;
  }

  /** sum dout * out, with each operand moved by a direction that may be null. */
  private static double loss(BackwardCase backward, BackwardOperands data, int which, float[] by) {
    AttentionCase c = backward.forward();
    Operands o = data.forward();
    Operands moved =
        new Operands(
            which == 0 ? sum(o.query(), by) : o.query(),
            which == 1 ? sum(o.key(), by) : o.key(),
            which == 2 ? sum(o.value(), by) : o.value(),
            which == 3 ? sum(o.bias(), by) : o.bias(),
            which == 4 ? sum(o.alibi(), by) : o.alibi(),
            IntStream.range(0, o.rows().size())
                .mapToObj(k -> which == 6 + k ? sum(o.rows().get(k), by) : o.rows().get(k))
                .toList(),
            which == 5 ? sum(o.sinks(), by) : o.sinks());
    Expected out = Oracle.run(c, moved, Precision.CPU).out();
    Geometry g = c.geometry();
    int[] cuQ = g.cuQ();
    double loss = 0;
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int from = c.rowIndex(backward.layouts().dout(), cuQ, b, i, h);
          int at = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
          for (int d = 0; d < g.valueHeadDim(); d++) {
            loss += data.dout()[from + d] * out.value(at + d);
          }
        }
      }
    }
    return loss;
  }

  private static float[] sum(float[] x, float[] by) {
    float[] moved = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      moved[i] = x[i] + by[i];
    }
    return moved;
  }

  private static float[] times(float[] x, double factor) {
    float[] scaled = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      scaled[i] = (float) (x[i] * factor);
    }
    return scaled;
  }

  /** Central differences, extrapolated. */
  private static double derivative(BackwardCase c, BackwardOperands data, int which, float[] way) {
    double[] slopes = new double[2];
    for (int n = 0; n < 2; n++) {
      double h = STEP * (n + 1);
      double above = loss(c, data, which, times(way, h));
      double below = loss(c, data, which, times(way, -h));
      slopes[n] = (above - below) / (2 * h);
    }
    return (4 * slopes[0] - slopes[1]) / 3;
  }

  /** The gradient times a direction, the sum of sizes of the products, and that of its bounds. */
  private static double[] along(
      Expected gradient, Layout of, float[] before, float[] way, Layout operand) {
    double sum = 0;
    double size = 0;
    double allowed = 0;
    long[] n = of.size();
    for (int a = 0; a < n[0]; a++) {
      for (int b = 0; b < n[1]; b++) {
        for (int i = 0; i < n[2]; i++) {
          for (int d = 0; d < n[3]; d++) {
            int at = of.at(a, b, i) + d;
            assertEquals(Expected.COMPARE, gradient.state(at));
            double exact = gradient.value(at) - (before == null ? 0 : before[at]);
            float by = way[operand.at(a, b, i) + d];
            sum += exact * by;
            size += Math.abs(exact * by);
            allowed += gradient.allowed(at) * Math.abs(by);
          }
        }
      }
    }
    return new double[] {sum, size, allowed};
  }

  @Test
  void directionalDerivativesOfEveryOperand() {
    Map<String, Integer> checked = new TreeMap<>();
    for (int index = 0; index < CASES; index++) {
      BackwardCase backward = draw(index);
      AttentionCase.Layouts of = backward.forward().layouts();
      BackwardCase.Layouts gradientOf = backward.layouts();
      BackwardOperands data = operands(backward);
      Gradients gradients = BackwardOracle.run(backward, data, Precision.CPU);
      Layout sinks = Layout.dense(1, 1, 1, backward.forward().geometry().queryHeads());
      float[][] operands = {
        data.forward().query(),
        data.forward().key(),
        data.forward().value(),
        data.forward().bias(),
        data.forward().alibi(),
        data.forward().sinks()
      };
      Expected[] all = {
        gradients.dquery(),
        gradients.dkey(),
        gradients.dvalue(),
        gradients.dbias(),
        gradients.dalibi(),
        gradients.dsinks()
      };
      Layout[] layouts = {of.query(), of.key(), of.value(), of.bias(), of.alibi(), sinks};
      Layout[] gradientLayouts = {
        gradientOf.dquery(),
        gradientOf.dkey(),
        gradientOf.dvalue(),
        gradientOf.dbias(),
        gradientOf.dalibi(),
        sinks
      };
      float[][] before = {null, data.dkey(), data.dvalue(), null, null, null};
      for (int which = 0; which < all.length; which++) {
        if (all[which] == null) {
          continue;
        }
        float[] way = direction(operands[which], index * 8 + which);
        double[] exact =
            along(all[which], gradientLayouts[which], before[which], way, layouts[which]);
        boolean counts = check(backward, data, which, way, exact, index);
        checked.merge(String.valueOf(which), counts ? 1 : 0, Integer::sum);
      }
      for (int k = 0; k < gradients.drows().size(); k++) {
        float[] way = direction(data.forward().rows().get(k), index * 8 + 6 + k);
        double[] exact =
            along(gradients.drows().get(k), gradientOf.drows().get(k), null, way, of.rows().get(k));
        boolean counts = check(backward, data, 6 + k, way, exact, index);
        String kind = backward.forward().options().rows().get(k).kind().toString();
        checked.merge(kind, counts ? 1 : 0, Integer::sum);
      }
    }
    checked.forEach((which, count) -> assertTrue(count > CASES / 4, checked.toString()));
  }

  /** Whether there was enough to compare. */
  private static boolean check(
      BackwardCase c, BackwardOperands data, int which, float[] way, double[] exact, int index) {
    double slope = derivative(c, data, which, way);
    String what = "operand " + which + " of case " + index + ": " + c;
    assertEquals(slope, exact[0], TRUNCATION * exact[1] + exact[2], what);
    return exact[1] > 0.01;
  }

  /** 1 or -1 for each number; padding, gaps and masked entries stay. */
  private static float[] direction(float[] operand, long seed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] way = new float[operand.length];
    for (int i = 0; i < way.length; i++) {
      boolean still = Float.isNaN(operand[i]) || Float.isInfinite(operand[i]);
      way[i] = still ? 0 : random.pick(-1, 1);
    }
    return way;
  }
}

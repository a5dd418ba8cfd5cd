package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.linear.LinearCase.Content;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * The gradients of the backward oracle against directional derivatives of the forward oracle, by
 * central differences, extrapolated. What differs is the fourth power of the step, what moved
 * operands are rounded to, and what the rounding of out to float32 does, which the bounds of
 * float32 kernels hold.
 */
class GradientCheckTest {

  private static final int CASES = 300;
  private static final double STEP = 0x1p-9;
  private static final double TRUNCATION = 2e-4;
  private static final List<String> WITH_GRADIENT =
      List.of(
          "query", "key", "value", "decay", "key_decay", "beta", "initial_state", "initial_sum");

  /** A small case of any features; every tensor has a gradient. */
  private static LinearCase draw(int index) {
    Gaussian random = new Gaussian(Gaussian.mix(4711 + index));
    CaseBuilder c = new CaseBuilder().backward(DType.FLOAT32).content(Content.NORMAL, index);
    int batch = random.between(1, 3);
    c.lengths(batch, random.between(1, 7), random.between(1, 7));
    if (random.chance(0.5)) {
      c.keyLength = c.queryLength;
    }
    int keyHeads = random.between(1, 2);
    c.heads(keyHeads * random.between(1, 3), keyHeads);
    c.headDim(random.between(1, 6), random.between(1, 6));
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
    c.causal(random.chance(0.8));
    DType beta = c.causal && random.chance(0.4) ? DType.FLOAT32 : null;
    // relu has no derivative at 0, which a step may pass.
    c.features(random.chance(0.5) ? FeatureMap.IDENTITY : FeatureMap.ELU_PLUS_ONE, false);
    c.normalised = beta == null && c.featureMap != FeatureMap.IDENTITY && random.chance(0.6);
    c.rules(
        c.causal && random.chance(0.5) ? DType.FLOAT32 : null,
        c.causal && random.chance(0.5) ? DType.FLOAT32 : null,
        beta);
    c.states(random.chance(0.5), false);
    if (random.chance(0.3)) {
      c.sharedDecay();
    }
    for (String name : List.of("query", "out", "dout", "dquery", "dkey", "ddecay")) {
      c.style(name, Style.draw(random));
    }
    return random.chance(0.2) ? c.accumulate().build() : c.build();
  }

  /** sum dout * out, with an operand moved by so much of a direction. */
  private static double loss(
      LinearCase c, Operands data, String which, float[] way, double factor) {
    float[] moved = data.get(which).clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (factor * way[i]);
    }
    Expected out = Oracle.run(c, data.with(which, moved)).get("out");
    Geometry g = c.geometry();
    int[] cuQ = g.cuQ();
    double loss = 0;
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int from = g.rowIndex(c.layout("dout"), cuQ, b, i, h);
          int at = g.rowIndex(c.layout("out"), cuQ, b, i, h);
          for (int d = 0; d < g.valueHeadDim(); d++) {
            loss += data.get("dout")[from + d] * out.value(at + d);
          }
        }
      }
    }
    return loss;
  }

  private static double derivative(LinearCase c, Operands data, String which, float[] way) {
    double[] slopes = new double[2];
    for (int n = 0; n < 2; n++) {
      double h = STEP * (n + 1);
      slopes[n] = (loss(c, data, which, way, h) - loss(c, data, which, way, -h)) / (2 * h);
    }
    return (4 * slopes[0] - slopes[1]) / 3;
  }

  /** The gradient times a direction, the sum of sizes of the products, and that of its bounds. */
  private static double[] along(
      Expected gradient, Layout of, float[] before, float[] way, Layout operand) {
    double[] sums = new double[3];
    long[] n = of.size();
    for (int x = 0; x < n[0]; x++) {
      for (int y = 0; y < n[1]; y++) {
        for (int z = 0; z < n[2]; z++) {
          for (int d = 0; d < n[3]; d++) {
            int at = of.at(x, y, z) + d;
            assertEquals(Expected.COMPARE, gradient.state(at));
            double exact = gradient.value(at) - (before == null ? 0 : before[at]);
            float by = way[operand.at(x, y, z) + d];
            sums[0] += exact * by;
            sums[1] += Math.abs(exact * by);
            sums[2] += gradient.allowed(at) * Math.abs(by);
          }
        }
      }
    }
    return sums;
  }

  @Test
  void directionalDerivativesOfEveryOperand() {
    Map<String, Integer> checked = new TreeMap<>();
    for (int index = 0; index < CASES; index++) {
      LinearCase c = draw(index);
      Operands data = Operands.of(c);
      Map<String, Expected> gradients = BackwardOracle.run(c, data);
      for (String which : WITH_GRADIENT) {
        // Many packed positions share a decay, whose gradients are those of each.
        boolean apart = c.has(which) && !c.layout(which).isShared();
        if (!apart) {
          continue;
        }
        String gradient = "d" + which;
        float[] way = direction(data.get(which), index);
        double[] exact =
            along(
                gradients.get(gradient),
                c.layout(gradient),
                data.get(gradient),
                way,
                c.layout(which));
        double slope = derivative(c, data, which, way);
        String what = which + " of case " + index + ": " + c;
        assertEquals(slope, exact[0], TRUNCATION * (1 + exact[1]) + exact[2], what);
        checked.merge(which, exact[1] > 0.01 ? 1 : 0, Integer::sum);
      }
    }
    assertEquals(WITH_GRADIENT.size(), checked.size());
    checked.forEach((which, count) -> assertTrue(count > CASES / 15, checked.toString()));
  }

  /** 1 or -1 for each number; padding and gaps stay. */
  private static float[] direction(float[] operand, long seed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] way = new float[operand.length];
    for (int i = 0; i < way.length; i++) {
      way[i] = Float.isNaN(operand[i]) ? 0 : random.pick(-1, 1);
    }
    return way;
  }
}

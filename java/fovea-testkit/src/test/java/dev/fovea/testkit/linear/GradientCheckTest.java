package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Directional;
import dev.fovea.testkit.Directional.Along;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
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

  private static double loss(
      LinearCase c, Operands data, String which, float[] way, double factor) {
    Operands moved = data.with(which, Directional.moved(data.get(which), way, factor));
    Expected out = Oracle.run(c, moved).get("out");
    return Directional.loss(c.geometry(), data.get("dout"), c.layout("dout"), out, c.layout("out"));
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
        float[] way = Directional.direction(data.get(which), index);
        Along exact =
            Directional.along(
                gradients.get(gradient),
                c.layout(gradient),
                data.get(gradient),
                way,
                c.layout(which));
        double slope = Directional.derivative(STEP, by -> loss(c, data, which, way, by));
        String what = which + " of case " + index + ": " + c;
        assertEquals(slope, exact.sum(), TRUNCATION * (1 + exact.size()) + exact.allowed(), what);
        checked.merge(which, exact.size() > 0.01 ? 1 : 0, Integer::sum);
      }
    }
    assertEquals(WITH_GRADIENT.size(), checked.size());
    checked.forEach((which, count) -> assertTrue(count > CASES / 15, checked.toString()));
  }
}

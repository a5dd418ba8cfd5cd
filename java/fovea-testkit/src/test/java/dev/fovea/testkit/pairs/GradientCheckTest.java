package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Directional;
import dev.fovea.testkit.Directional.Along;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The gradients of the backward oracle against directional derivatives of the forward oracle.
 * Operands are 16-bit numbers and steps powers of two, so that x - h and x + h are exact in float.
 * What differs is the fourth power of h, and what the rounding of out and lse to float32 does,
 * which the bounds of float32 kernels hold.
 */
class GradientCheckTest {

  private static final int CASES = 300;
  private static final double STEP = 0x1p-7;
  private static final double TRUNCATION = 1e-6;
  private static final List<String> WITH_GRADIENT =
      List.of("query", "key", "value", "weight", "bias", "bandwidth");

  /** A small case of any features; every tensor has a gradient. */
  private static PairCase draw(Kind kind, int index) {
    Gaussian random = new Gaussian(Gaussian.mix(815 + index));
    CaseBuilder c = new CaseBuilder(kind).outDType(DType.FLOAT32).backward(DType.FLOAT32);
    c.dtype(DType.BFLOAT16).content(PairCase.Content.NORMAL, index);
    int batch = random.between(1, 3);
    c.lengths(batch, random.between(1, 7), random.between(1, 9));
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
    c.bias(random.chance(0.7));
    if (random.chance(0.4)) {
      c.dropout(random.pick(0.1f, 0.5f), random.nextLong(), index);
    }
    for (String name : List.of("query", "out", "dout", "dquery", "dkey", "dweight")) {
      c.style(name, Style.draw(random));
    }
    c.style("key", random.chance(0.3) ? Style.DENSE.withBroadcast(2) : Style.DENSE);
    c.style("weight", random.chance(0.3) ? Style.DENSE.withBroadcast(0) : Style.DENSE);
    boolean accumulate = random.chance(0.2);
    if (kind == Kind.DISTANCE && random.chance(0.4)) {
      c.localLinear(random.pick(0.3f, 2f)); // a small ridge makes more of the fourth power of h
    }
    return accumulate ? c.accumulate().build() : c.build();
  }

  /** Weight, bias and bandwidth of few bits, like the rest; a bandwidth of many steps. */
  private static Operands operands(PairCase c) {
    Operands drawn = Operands.of(c);
    for (String name : List.of("weight", "bias", "bandwidth")) {
      if (c.hasAny(name)) {
        float[] values = shortened(drawn.get(name));
        drawn = drawn.with(name, name.equals("bandwidth") ? wide(values) : values);
      }
    }
    return drawn.withForward(c);
  }

  private static float[] shortened(float[] values) {
    float[] few = new float[values.length];
    for (int i = 0; i < few.length; i++) {
      few[i] = Rounding.round(DType.BFLOAT16, values[i]);
    }
    return few;
  }

  private static float[] wide(float[] bandwidths) {
    float[] wide = new float[bandwidths.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = Math.copySign(Math.max(1.5f, Math.abs(bandwidths[i])), bandwidths[i]);
    }
    return wide;
  }

  private static double loss(PairCase c, Operands data, String which, float[] way, double factor) {
    Operands moved = data.with(which, Directional.moved(data.get(which), way, factor));
    Expected out = Oracle.run(c, moved).get("out");
    return Directional.loss(c.geometry(), data.get("dout"), c.layout("dout"), out, c.layout("out"));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void directionalDerivativesOfEveryOperand(Kind kind) {
    Map<String, Integer> checked = new TreeMap<>();
    for (int index = 0; index < CASES; index++) {
      PairCase c = draw(kind, index);
      Operands data = operands(c);
      Map<String, Expected> gradients = c.expected(data);
      for (String which : WITH_GRADIENT) {
        if (!c.hasAny(which)) {
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
        assertEquals(slope, exact.sum(), TRUNCATION * exact.size() + exact.allowed(), what);
        checked.merge(which, exact.size() > 0.01 ? 1 : 0, Integer::sum);
      }
    }
    checked.forEach((which, count) -> assertTrue(count > CASES / 4, checked.toString()));
  }
}

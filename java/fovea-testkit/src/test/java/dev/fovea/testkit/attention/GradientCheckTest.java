package dev.fovea.testkit.attention;

import static dev.fovea.testkit.Directional.moved;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Directional;
import dev.fovea.testkit.Directional.Along;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.util.Arrays;
import java.util.List;
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
  private static final int ROWS = 13; // the first operand with one element for a query row
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
    if (random.chance(0.8)) {
      // A bias that is moved by a step still makes a query that is exact.
      c.dtype(DType.FLOAT32).positions(positions(random));
    }
    c.alibi(random.pick(Alibi.values()));
    if (random.chance(0.75)) {
      c.relative(new Relative(random.between(1, 5), random.between(0, 6)));
    }
    if (random.chance(0.75)) {
      List<Modifier> smooth = Arrays.stream(Modifier.values()).filter(Modifier::isSmooth).toList();
      c.modifier(smooth.get(random.nextInt(smooth.size())));
      c.modifierShared = random.chance(0.3);
    }
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      if (random.chance(0.6)) {
        Bias[] all = Bias.values();
        c.row(new RowOperand(kind, 3, all[1 + random.nextInt(all.length - 1)]));
      }
    }
    if (random.chance(0.75)) {
      Bias ofKeys = random.pick(Bias.NONE, Bias.KEY_ONLY, Bias.HEAD, Bias.BATCH, Bias.BATCH_HEAD);
      Gates.Output output = random.pick(Gates.Output.values());
      boolean has = output != Gates.Output.NONE;
      c.gates(new Gates(ofKeys, output, has ? DType.FLOAT16 : null, false));
    }
    if (random.chance(0.3)) {
      c.mask(random.pick(Bias.values()));
    }
    if (random.chance(0.15)) {
      c.blocks(Blocks.draw(random));
    } else if (random.chance(0.1)) {
      c.imageWindow(new ImageWindow(random.among(1, 3, 5), random.among(0, 1, 2), 1));
    }
    c.sinks = random.chance(0.5);
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

  /** Mostly with keys of distances. */
  private static Positions positions(Gaussian random) {
    Positions.Keys keys =
        random.pick(
            Positions.Keys.NONE,
            Positions.Keys.SHARED,
            Positions.Keys.SHARED,
            Positions.Keys.OF_HEADS,
            Positions.Keys.OF_HEADS);
    boolean has = keys != Positions.Keys.NONE;
    int spare = has ? random.between(0, 2) : 0;
    return new Positions(random.chance(0.8), has && random.chance(0.8), keys, spare, spare);
  }

  /** Slopes and sinks of few bits, like the rest. */
  private static BackwardOperands operands(BackwardCase c) {
    Operands drawn = Operands.of(c.forward());
    Operands data =
        new Operands(
            shortened(drawn.query()),
            null,
            shortened(drawn.key()),
            shortened(drawn.value()),
            Cache.Data.NONE,
            new Positions.Data(
                shortened(drawn.positions().contentBias()),
                shortened(drawn.positions().positionBias()),
                shortened(drawn.positions().keys())),
            drawn.bias(),
            drawn.mask(),
            shortened(drawn.table()),
            drawn.buckets(),
            drawn.blocks(),
            shortened(drawn.modifierTable()),
            shortened(drawn.alibi()),
            shortened(drawn.keyGates()),
            drawn.outputGates(),
            drawn.rows().stream().map(GradientCheckTest::smooth).toList(),
            shortened(drawn.sinks()));
    BackwardOperands all = BackwardOperands.of(c);
    return BackwardOperands.of(c.forward(), data, withoutNaN(all.dout()), all.dkey(), all.dvalue());
  }

  /** A row that sees no key adds nothing to the loss. */
  private static float[] withoutNaN(float[] values) {
    float[] finite = values.clone();
    for (int i = 0; i < finite.length; i++) {
      finite[i] = Float.isNaN(finite[i]) ? 0 : finite[i];
    }
    return finite;
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

  /** sum dout * out, with an operand moved by so much of a direction. */
  private static double loss(
      BackwardCase backward, BackwardOperands data, int which, float[] way, double by) {
    AttentionCase c = backward.forward();
    Operands o = data.forward();
    Positions.Data p = o.positions();
    Operands moved =
        new Operands(
            which == 0 ? moved(o.query(), way, by) : o.query(),
            null,
            which == 1 ? moved(o.key(), way, by) : o.key(),
            which == 2 ? moved(o.value(), way, by) : o.value(),
            Cache.Data.NONE,
            new Positions.Data(
                which == 10 ? moved(p.contentBias(), way, by) : p.contentBias(),
                which == 11 ? moved(p.positionBias(), way, by) : p.positionBias(),
                which == 12 ? moved(p.keys(), way, by) : p.keys()),
            which == 3 ? moved(o.bias(), way, by) : o.bias(),
            o.mask(),
            which == 6 ? moved(o.table(), way, by) : o.table(),
            o.buckets(),
            o.blocks(),
            which == 9 ? moved(o.modifierTable(), way, by) : o.modifierTable(),
            which == 4 ? moved(o.alibi(), way, by) : o.alibi(),
            which == 7 ? moved(o.keyGates(), way, by) : o.keyGates(),
            which == 8 ? moved(o.outputGates(), way, by) : o.outputGates(),
            IntStream.range(0, o.rows().size())
                .mapToObj(
                    k -> which == ROWS + k ? moved(o.rows().get(k), way, by) : o.rows().get(k))
                .toList(),
            which == 5 ? moved(o.sinks(), way, by) : o.sinks());
    Expected out = Oracle.run(c, moved, Precision.CPU).out();
    return Directional.loss(
        c.geometry(), data.dout(), backward.layouts().dout(), out, c.layouts().out());
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
        data.forward().sinks(),
        data.forward().table(),
        data.forward().keyGates(),
        data.forward().outputGates(),
        data.forward().modifierTable(),
        data.forward().positions().contentBias(),
        data.forward().positions().positionBias(),
        data.forward().positions().keys()
      };
      Expected[] all = {
        gradients.dquery(),
        gradients.dkey(),
        gradients.dvalue(),
        gradients.dbias(),
        gradients.dalibi(),
        gradients.dsinks(),
        gradients.dtable(),
        gradients.dkeyGates(),
        gradients.doutputGates(),
        gradients.dmodifierTable(),
        gradients.dcontentBias(),
        gradients.dpositionBias(),
        gradients.dpositionKeys()
      };
      Layout[] layouts = {
        of.query(),
        of.key(),
        of.value(),
        of.bias(),
        of.alibi(),
        sinks,
        of.table(),
        of.keyGates(),
        of.outputGates(),
        of.modifierTable(),
        of.contentBias(),
        of.positionBias(),
        of.positionKeys()
      };
      Layout[] gradientLayouts = {
        gradientOf.dquery(),
        gradientOf.dkey(),
        gradientOf.dvalue(),
        gradientOf.dbias(),
        gradientOf.dalibi(),
        sinks,
        gradientOf.dtable(),
        gradientOf.dkeyGates(),
        gradientOf.doutputGates(),
        gradientOf.dmodifierTable(),
        gradientOf.dcontentBias(),
        gradientOf.dpositionBias(),
        gradientOf.dpositionKeys()
      };
      float[][] before = new float[ROWS][];
      before[1] = data.dkey();
      before[2] = data.dvalue();
      for (int which = 0; which < all.length; which++) {
        if (all[which] == null) {
          continue;
        }
        float[] way = Directional.direction(operands[which], index * 16 + which);
        Along exact =
            Directional.along(
                all[which], gradientLayouts[which], before[which], way, layouts[which]);
        boolean counts = check(backward, data, which, way, exact, index);
        checked.merge(String.valueOf(which), counts ? 1 : 0, Integer::sum);
      }
      for (int k = 0; k < gradients.drows().size(); k++) {
        float[] way = Directional.direction(data.forward().rows().get(k), index * 16 + ROWS + k);
        Along exact =
            Directional.along(
                gradients.drows().get(k), gradientOf.drows().get(k), null, way, of.rows().get(k));
        boolean counts = check(backward, data, ROWS + k, way, exact, index);
        String kind = backward.forward().options().rows().get(k).kind().toString();
        checked.merge(kind, counts ? 1 : 0, Integer::sum);
      }
    }
    checked.forEach((which, count) -> assertTrue(count > CASES / 4, checked.toString()));
  }

  /** Whether there was enough to compare. */
  private static boolean check(
      BackwardCase c, BackwardOperands data, int which, float[] way, Along exact, int index) {
    // What a modifier looks up moves scores by distances of keys, ahead of a softcap.
    double step = which == 9 ? STEP / 8 : STEP;
    double slope = Directional.derivative(step, by -> loss(c, data, which, way, by));
    String what = "operand " + which + " of case " + index + ": " + c;
    assertEquals(slope, exact.sum(), TRUNCATION * exact.size() + exact.allowed(), what);
    return exact.size() > 0.01;
  }
}

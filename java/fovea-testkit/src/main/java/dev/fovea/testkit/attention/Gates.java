package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.Options.Bias;

/**
 * Which gates a case has: logits whose sigmoid multiplies weights or the output.
 *
 * @param keys of keys: [B or 1, Hq or 1, Sk], one of the shapes without queries
 * @param output of out
 * @param outputType of these, null without
 * @param ungated the output before them is asked for
 */
public record Gates(Bias keys, Output output, DType outputType, boolean ungated) {

  /** No gates. */
  public static final Gates NONE = new Gates(Bias.NONE, Output.NONE, null, false);

  private static final Bias[] SHAPES = {Bias.BATCH_HEAD, Bias.HEAD, Bias.BATCH, Bias.KEY_ONLY};

  /** Shapes of the gates of out. */
  public enum Output {
    NONE,
    /** [B, Sq, Hq, 1]. */
    HEAD,
    /** [B, Sq, Hq, Dv]. */
    ELEMENT
  }

  /** Gates of keys alone. */
  public static Gates ofKeys(Bias shape) {
    return new Gates(shape, Output.NONE, null, false);
  }

  /** Gates of out alone. */
  public static Gates ofOutput(Output shape, DType type) {
    return new Gates(Bias.NONE, shape, type, false);
  }

  /** None in most cases. */
  static Gates draw(Gaussian random) {
    Bias keys = random.chance(0.15) ? SHAPES[random.nextInt(SHAPES.length)] : Bias.NONE;
    Output output = random.chance(0.15) ? random.pick(Output.HEAD, Output.ELEMENT) : Output.NONE;
    DType type = random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);
    boolean ungated = random.chance(0.5);
    boolean has = output != Output.NONE;
    return new Gates(keys, output, has ? type : null, has && ungated);
  }

  /** The same without what a backward has no part in. */
  Gates ofBackward() {
    return new Gates(keys, output, outputType, false);
  }

  boolean hasKeys() {
    return keys != Bias.NONE;
  }

  boolean hasOutput() {
    return output != Output.NONE;
  }

  /** [B or 1, Hq or 1, 1, Sk]; packed: [1, Hq or 1, 1, Tk]. Null for none. */
  Layout keyLayout(Style style, Geometry g) {
    if (!hasKeys()) {
      return null;
    }
    return style.layout(
        keys.perBatch ? g.outerBatch() : 1, keys.perHead ? g.queryHeads() : 1, 1, g.keyRows());
  }

  /** [B, Sq, Hq, Dv or 1]; null for none. */
  Layout outputLayout(Style style, Geometry g) {
    if (!hasOutput()) {
      return null;
    }
    int width = output == Output.HEAD ? 1 : g.valueHeadDim();
    return style.layout(g.outerBatch(), g.queryRows(), g.queryHeads(), width);
  }

  /** Index of the gate of the first key of sequence {@code b} for head {@code h}. */
  static int keyRow(Geometry g, Layout layout, int[] cuK, int b, int h) {
    return g.packed() ? layout.atBroadcast(0, h, 0) + cuK[b] : layout.atBroadcast(b, h, 0);
  }

  /** Logits of the gates of keys, NaN at padding; null for none. */
  static float[] drawKeys(AttentionCase c, Gaussian random) {
    Layout layout = c.layouts().keyGates();
    if (layout == null) {
      return null;
    }
    Geometry g = c.geometry();
    int[] cuK = g.cuK();
    float[] buffer = Operands.poisoned(layout);
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        int row = keyRow(g, layout, cuK, b, h);
        for (int j = row; j < row + g.lenK(b); j++) {
          buffer[j] = Float.isNaN(buffer[j]) ? logit(random, DType.FLOAT32) : buffer[j];
        }
      }
    }
    return buffer;
  }

  /** Logits of the gates of out, NaN at padding; null for none. */
  static float[] drawOutput(AttentionCase c, Gaussian random) {
    Layout layout = c.layouts().outputGates();
    if (layout == null) {
      return null;
    }
    Geometry g = c.geometry();
    int[] cuQ = g.cuQ();
    float[] buffer = Operands.poisoned(layout);
    for (int b = 0; b < g.batch(); b++) {
      for (int i = 0; i < g.lenQ(b); i++) {
        for (int h = 0; h < g.queryHeads(); h++) {
          int row = c.rowIndex(layout, cuQ, b, i, h);
          for (int d = row; d < row + layout.size()[3]; d++) {
            buffer[d] = logit(random, c.options().gates().outputType());
          }
        }
      }
    }
    return buffer;
  }

  /** Mostly half open; some as good as open or shut, whose sigmoid is 1 or may underflow. */
  private static float logit(Gaussian random, DType type) {
    if (random.chance(0.03)) {
      return random.pick(-30f, 30f, -100f, 100f, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
    }
    return Rounding.round(type, 2 * random.nextNormal());
  }
}

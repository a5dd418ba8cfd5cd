package dev.fovea.testkit.norm;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.norm.NormCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever must not reach a result is NaN: gaps, and bias in a backward pass. Gradients
 * that are added to have what they hold before.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float OUTLIER = 10;
  private static final int FIRST = 8;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(NormCase c) {
    Draw draw = new Draw(c);
    Map<String, float[]> all = new HashMap<>();
    all.put("x", draw.rows("x", 1));
    if (c.has("weight")) {
      all.put("weight", draw.vectors("weight", 1, 0.5f, 2));
    }
    if (c.has("bias")) {
      all.put("bias", c.isBackward() ? draw.blank("bias") : draw.vectors("bias", 0, 1, 3));
    }
    if (c.isBackward()) {
      all.put("dout", draw.rows("dout", 4));
      if (c.accumulatesDx()) {
        all.put("dx", draw.rows("dx", 6));
      }
      if (c.gradients().accumulate() && c.has("dweight")) {
        all.put("dweight", draw.vectors("dweight", 0, 1, 8));
      }
      if (c.gradients().accumulate() && c.has("dbias")) {
        all.put("dbias", draw.vectors("dbias", 0, 1, 9));
      }
    }
    draw.plant(all);
    return new Operands(all);
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final NormCase c;
    private final NormSizes s;

    Draw(NormCase c) {
      this.c = c;
      s = c.sizes();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 16 + salt));
    }

    float[] blank(String name) {
      float[] buffer = new float[c.layout(name).elements()];
      Arrays.fill(buffer, Float.NaN);
      return buffer;
    }

    /** x, dout, or what dx holds before. */
    float[] rows(String name, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = blank(name);
      Gaussian random = random(salt);
      Gaussian offsets = random(salt + 16);
      DType type = c.type(c.table().operand(name));
      boolean isX = name.equals("x");
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          for (int h = 0; h < s.heads(); h++) {
            int at = layout.at(b, row, h);
            float offset = isX ? offset(type, offsets) : 0;
            float constant = offsets.nextNormal();
            for (int i = at; Float.isNaN(buffer[at + s.width() - 1]); i++) {
              boolean outlier = c.content() == Content.OUTLIERS && random.nextInt(1000) == 0;
              float drawn = random.nextNormal() * (outlier ? OUTLIER : 1);
              boolean far = c.content() != Content.FIRST_FAR || i < at + FIRST;
              float value = isX && c.content() == Content.CONSTANT ? constant : drawn;
              float tiny = isX && c.content() == Content.TINY ? TINY_FACTOR : 1;
              buffer[i] = Rounding.round(type, value * tiny + (far ? offset : 0));
            }
          }
        }
      }
      return buffer;
    }

    /** How far from 0 a row is, or its first elements: in its type, and with a digit left. */
    private float offset(DType type, Gaussian random) {
      boolean far = c.content() == Content.OFFSET || c.content() == Content.FIRST_FAR;
      double most = Math.min(0.25 / Rounding.unit(type), 1e6);
      double size = Math.pow(most, random.nextDouble());
      return (float) (far ? random.pick(size, -size) : 0);
    }

    /** weight or bias, or what a gradient of them holds before. */
    float[] vectors(String name, float mean, float deviation, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = blank(name);
      Gaussian random = random(salt);
      for (int h = 0; h < layout.size()[0]; h++) {
        int at = c.headAt(name, h);
        for (int i = at; Float.isNaN(buffer[at + s.width() - 1]); i++) {
          boolean zero = random.nextInt(50) == 0;
          buffer[i] = zero ? 0 : mean + deviation * random.nextNormal();
        }
      }
      return buffer;
    }

    /** One special number in the middle sequence, where that has an element. */
    void plant(Map<String, float[]> all) {
      if (s.batch() == 0 || s.length() == 0) {
        return;
      }
      Gaussian random = random(5);
      int b = s.batch() / 2;
      int row = random.nextInt(s.length());
      int h = random.nextInt(s.heads());
      int column = random.nextInt(s.width());
      int x = c.layout("x").at(b, row, h) + column;
      float sign = random.pick(1f, -1f);
      switch (c.content()) {
        case LARGEST -> all.get("x")[x] = sign * Rounding.largest(c.dtype());
        case INFINITY -> all.get("x")[x] = sign * Float.POSITIVE_INFINITY;
        case NAN -> all.get("x")[x] = Float.NaN;
        case NAN_IN_WEIGHT -> {
          String vectors = random.chance(0.5) || !c.has("bias") ? "weight" : "bias";
          if (c.has(vectors)) {
            all.get(vectors)[c.headAt(vectors, h) + column] = Float.NaN;
          }
        }
        case NAN_IN_DOUT -> {
          if (c.isBackward()) {
            all.get("dout")[c.layout("dout").at(b, row, h) + column] = Float.NaN;
          }
        }
        default -> {}
      }
    }
  }
}

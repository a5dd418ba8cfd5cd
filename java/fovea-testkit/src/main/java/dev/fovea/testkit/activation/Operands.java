package dev.fovea.testkit.activation;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever must not reach a result is NaN: operands that a pass has no use for, gaps.
 * Where dbias is added to, they have what it holds before.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 10;
  private static final float OF_X = 2; // so that it reaches where functions bend

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(ActivationCase c) {
    Draw draw = new Draw(c);
    Map<String, float[]> all = new HashMap<>();
    int salt = 1;
    for (String operand : List.of("x", "gate", "residual", "dout")) {
      if (c.has(operand)) {
        all.put(operand, draw.rows(operand, salt));
      }
      salt++;
    }
    if (c.has("bias")) {
      all.put("bias", draw.columns("bias", draw.small() ? draw.factor() : 1, salt));
    }
    if (c.has("dbias") && c.gradients().accumulate()) {
      all.put("dbias", draw.columns("dbias", 1, salt + 1));
    }
    draw.plant(all);
    return new Operands(all);
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final ActivationCase c;
    private final ActivationSizes s;

    Draw(ActivationCase c) {
      this.c = c;
      s = c.sizes();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 16 + salt));
    }

    private float[] blank(String name) {
      float[] buffer = new float[c.layout(name).elements()];
      Arrays.fill(buffer, Float.NaN);
      return buffer;
    }

    private DType type(String name) {
      return c.type(c.table().operand(name));
    }

    boolean small() {
      return c.content() == Content.TINY || c.content() == Content.SUBNORMAL;
    }

    float factor() {
      boolean subnormal = c.content() == Content.SUBNORMAL && c.dtype() != DType.FLOAT16;
      return subnormal ? SUBNORMAL_FACTOR : TINY_FACTOR;
    }

    float[] rows(String name, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = blank(name);
      if (!c.reads(name)) {
        return buffer;
      }
      Gaussian random = random(salt);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          int at = layout.at(new long[] {b, row});
          if (Float.isNaN(buffer[at])) {
            fill(buffer, at, name, random, salt);
          }
        }
      }
      return buffer;
    }

    private void fill(float[] buffer, int at, String name, Gaussian random, int salt) {
      DType type = type(name);
      boolean isX = name.equals("x");
      float constant = random(salt + 8).nextNormal();
      for (int i = at; i < at + s.width(); i++) {
        float drawn = random.nextNormal() * (isX ? OF_X : 1);
        drawn *= c.content() == Content.OUTLIERS && random.nextInt(1000) == 0 ? OUTLIER : 1;
        if (c.content() == Content.CONSTANT) {
          drawn = constant;
        } else if (c.content() == Content.SPREAD && isX) {
          drawn = (float) Math.scalb(1 + random.nextDouble(), random.between(-20, 7));
          drawn *= random.pick(-1f, 1f);
        } else if (c.content() == Content.SUBNORMAL && isX) {
          drawn *= random.chance(0.2) ? 0 : factor();
        } else if (c.content() == Content.TINY && !name.equals("gate")) {
          drawn *= factor();
        }
        buffer[i] = Rounding.round(type, drawn);
      }
    }

    /** bias, or what dbias holds before; some of it is nothing, so that x is as it is. */
    float[] columns(String name, float factor, int salt) {
      float[] buffer = blank(name);
      Gaussian random = random(salt);
      for (int i = 0; i < s.width() && (name.equals("dbias") || c.reads(name)); i++) {
        float drawn = random.nextNormal() * factor;
        buffer[(int) c.layout(name).offset() + i] = random.chance(0.3) ? 0 : drawn;
      }
      return buffer;
    }

    /** One special number in the middle sequence, where that has an element. */
    void plant(Map<String, float[]> all) {
      if (s.batch() == 0 || s.length() == 0) {
        return;
      }
      Gaussian random = random(15);
      int b = s.batch() / 2;
      int row = random.nextInt(s.length());
      int column = random.nextInt(s.width());
      float sign = random.pick(1f, -1f);
      float largest = sign * Rounding.largest(c.dtype());
      float infinity = sign * Float.POSITIVE_INFINITY;
      switch (c.content()) {
        case LARGEST_IN_X -> put(all, "x", b, row, column, largest);
        case INFINITY_IN_X -> put(all, "x", b, row, column, infinity);
        case NAN_IN_X -> put(all, "x", b, row, column, Float.NaN);
        case INFINITY_BESIDE -> put(all, c.has("gate") ? "gate" : "bias", b, row, column, infinity);
        case NAN_BESIDE ->
            put(all, random.pick("gate", "residual", "bias"), b, row, column, Float.NaN);
        case NAN_IN_DOUT -> put(all, "dout", b, row, column, random.pick(Float.NaN, infinity));
        default -> {}
      }
    }

    private void put(
        Map<String, float[]> all, String name, int b, int row, int column, float value) {
      if (c.has(name) && c.reads(name)) {
        int at = name.equals("bias") ? (int) c.layout(name).offset() : c.at(name, b, row);
        all.get(name)[at + column] = value;
      }
    }
  }
}

package dev.fovea.testkit.optimizer;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of a case before its step, as float values that are exact in their dtype, by the
 * names of the operands. Gaps are NaN: nobody may read them, and what is written in place has the
 * canary there.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 100;
  private static final double NUMBER_AMONG_ZEROS = 0.1;

  // Of what gradients of N(0,1) leave: means of them, and of their squares.
  private static final float MEAN = 0.3f;
  private static final float SQUARE = 0.5f;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(OptimizerCase c) {
    Operands data = new Operands(new HashMap<>());
    Draw draw = new Draw(c);
    int salt = 0;
    for (String name : List.of("gradient", "parameter", "mean", "square")) {
      salt++;
      if (c.has(name)) {
        data.all.put(name, draw.rows(name, salt));
      }
    }
    data.all.put("rates", draw.rates());
    draw.plant(data);
    return data;
  }

  private record Draw(OptimizerCase c) {

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private DType type(String name) {
      return name.equals("gradient") ? c.dtype() : DType.FLOAT32;
    }

    float[] rows(String name, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = new float[layout.elements()];
      Arrays.fill(buffer, Float.NaN);
      Gaussian random = random(salt);
      DType type = type(name);
      for (int row = 0; row < c.sizes().batch(); row++) {
        int at = c.at(name, row, 0);
        for (int i = 0; i < c.sizes().count(); i++) {
          buffer[at + i] = Rounding.round(type, value(name, type, random));
        }
      }
      return buffer;
    }

    private float value(String name, DType type, Gaussian random) {
      float drawn = random.nextNormal();
      switch (c.content()) {
        case OUTLIERS -> drawn *= random.nextInt(1000) == 0 ? OUTLIER : 1;
        case TINY -> drawn *= TINY_FACTOR;
        case SUBNORMAL -> drawn *= type == DType.FLOAT16 ? TINY_FACTOR : SUBNORMAL_FACTOR;
        case ZEROS -> {
          boolean zero = !name.equals("parameter") && !random.chance(NUMBER_AMONG_ZEROS);
          drawn = zero ? Math.copySign(0f, drawn) : drawn;
        }
        default -> {}
      }
      return switch (name) {
        case "mean" -> MEAN * drawn;
        case "square" -> SQUARE * Math.abs(drawn);
        default -> drawn;
      };
    }

    float[] rates() {
      Gaussian random = random(5);
      float rate = random.pick(1f, 0.1f, 1e-3f, 3e-4f);
      float factor = random.pick(1f, 1f, 0.37f, 0x1p-12f);
      float[] rates = OptimizerBinding.step(c).rates(rate, c.step(), factor);
      if (c.content() == Content.NAN_IN_RATES) {
        rates[random.pick(0, 3)] = Float.NaN;
      }
      return rates;
    }

    /** One special number somewhere, where there is an element. */
    void plant(Operands data) {
      if (c.sizes().batch() == 0 || c.sizes().count() == 0) {
        return;
      }
      Gaussian random = random(6);
      // A NaN in what is written would be that of memory that nobody wrote.
      List<String> names =
          List.of("gradient", "parameter", "mean", "square").stream().filter(c::has).toList();
      String name =
          c.content() == Content.NAN ? "gradient" : names.get(random.nextInt(names.size()));
      int row = random.nextInt(c.sizes().batch());
      int at = c.at(name, row, random.nextInt(c.sizes().count()));
      float sign = name.equals("square") ? 1 : random.pick(1f, -1f);
      switch (c.content()) {
        case LARGEST -> data.get(name)[at] = sign * Rounding.largest(type(name));
        case INFINITY -> data.get(name)[at] = sign * Float.POSITIVE_INFINITY;
        case NAN -> data.get(name)[at] = Float.NaN;
        default -> {}
      }
    }
  }
}

package dev.fovea.testkit.projection;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.projection.ProjectionCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever must not reach a result is NaN: positions behind the lengths, columns of
 * weight that no sequence has, dout of empty sequences, gaps. Where dweight is added to, they have
 * what it holds before.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float OUTLIER = 10;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(ProjectionCase c) {
    Draw draw = new Draw(c);
    ProjectionSizes s = c.sizes();
    Map<String, float[]> all = new HashMap<>();
    float tiny = c.content() == Content.TINY ? TINY_FACTOR : 1;
    all.put("x", draw.rows("x", s.length(), tiny, 1));
    all.put("weight", draw.weight("weight", c.dtype(), (float) scale(s.longest()), 2));
    if (c.isBackward()) {
      all.put("dout", draw.rows("dout", s.rank(), 1, 3));
      if (c.gradients().accumulate() && c.has("dweight")) {
        all.put("dweight", draw.weight("dweight", DType.FLOAT32, 1, 4));
      }
    }
    draw.plant(all);
    return new Operands(all);
  }

  /** Of weights whose sums have so many terms. */
  private static double scale(int terms) {
    return 1 / Math.sqrt(Math.max(1, terms));
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final ProjectionCase c;
    private final ProjectionSizes s;

    Draw(ProjectionCase c) {
      this.c = c;
      s = c.sizes();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private float[] blank(Layout layout) {
      float[] buffer = new float[layout.elements()];
      Arrays.fill(buffer, Float.NaN);
      return buffer;
    }

    /** x or dout, of {@code rows} rows where a sequence is full. */
    float[] rows(String name, int rows, float factor, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = blank(layout);
      Gaussian random = random(salt);
      DType type = c.type(c.table().operand(name));
      for (int b = 0; b < s.batch(); b++) {
        int count = name.equals("x") ? s.length(b) : s.length(b) == 0 ? 0 : rows;
        for (int row = 0; row < count; row++) {
          for (int h = 0; h < s.heads(); h++) {
            fill(buffer, layout.at(b, row, h), s.headDim(), type, factor, random);
          }
        }
      }
      return buffer;
    }

    /** weight, or what dweight holds before: that has all columns. */
    float[] weight(String name, DType type, float factor, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = blank(layout);
      Gaussian random = random(salt);
      int columns = name.equals("weight") ? s.longest() : s.length();
      for (int h = 0; h < layout.size()[0]; h++) {
        for (int r = 0; r < s.rank(); r++) {
          fill(buffer, layout.at(new long[] {h, r}), columns, type, factor, random);
        }
      }
      return buffer;
    }

    private void fill(
        float[] buffer, int at, int count, DType type, float factor, Gaussian random) {
      if (count == 0 || !Float.isNaN(buffer[at])) {
        return;
      }
      float constant = random(7).nextNormal();
      for (int i = at; i < at + count; i++) {
        boolean outlier = c.content() == Content.OUTLIERS && random.nextInt(1000) == 0;
        float drawn = random.nextNormal() * (outlier ? OUTLIER : 1);
        boolean same = c.content() == Content.CONSTANT;
        buffer[i] = Rounding.round(type, (same ? constant : drawn) * factor);
      }
    }

    /** One special number inside the lengths of the middle sequence, where that has an element. */
    void plant(Map<String, float[]> all) {
      int b = s.batch() / 2;
      if (s.batch() == 0 || s.length(b) == 0 || s.rank() == 0) {
        return;
      }
      Gaussian random = random(5);
      int j = random.nextInt(s.length(b));
      int h = random.nextInt(s.heads());
      int x = c.layout("x").at(b, j, h) + random.nextInt(s.headDim());
      float sign = random.pick(1f, -1f);
      switch (c.content()) {
        case LARGEST_IN_X -> all.get("x")[x] = sign * Rounding.largest(c.dtype());
        case INFINITY_IN_X -> all.get("x")[x] = sign * Float.POSITIVE_INFINITY;
        case NAN_IN_X -> all.get("x")[x] = Float.NaN;
        case NAN_IN_WEIGHT -> {
          long[] row = {c.own("weight", h), random.nextInt(s.rank())};
          all.get("weight")[c.layout("weight").at(row) + j] = Float.NaN;
        }
        case NAN_IN_DOUT -> {
          int row = c.layout("dout").at(b, random.nextInt(s.rank()), h);
          all.get("dout")[row + random.nextInt(s.headDim())] = Float.NaN;
        }
        default -> {}
      }
    }
  }
}

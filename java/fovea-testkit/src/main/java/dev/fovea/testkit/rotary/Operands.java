package dev.fovea.testkit.rotary;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.rotary.RotaryCase.Content;
import dev.fovea.testkit.rotary.RotaryCase.Order;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands; those of positions have their bits. Whatever must not reach a result is NaN: rows of
 * tables that are at no position, x in a backward pass, gaps.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 10;

  /** What models that scale attention by the length multiply their tables by, or about that. */
  private static final float SCALED = 1.25f;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The row of the tables that row {@code s} of a sequence is at. */
  int position(RotaryCase c, int b, int s) {
    float[] positions = get("positions");
    return positions == null ? s : Float.floatToRawIntBits(positions[c.positionsAt(b) + s]);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(RotaryCase c) {
    Operands data = new Operands(new HashMap<>());
    Draw draw = new Draw(c, data);
    data.all.put("x", draw.blank("x"));
    data.all.put(c.source(), draw.rows());
    if (c.has("positions")) {
      data.all.put("positions", draw.positions());
    }
    // Not of one angle: nothing depends on that, and what takes one for the other shows.
    data.all.put("cosines", draw.table("cosines", 3));
    data.all.put("sines", draw.table("sines", 4));
    draw.plant();
    return data;
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final RotaryCase c;
    private final RotarySizes s;
    private final Operands data;

    Draw(RotaryCase c, Operands data) {
      this.c = c;
      this.data = data;
      s = c.sizes();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private DType type() {
      return c.type(c.table().operand(c.source()));
    }

    float[] blank(String name) {
      float[] buffer = new float[c.layout(name).elements()];
      Arrays.fill(buffer, Float.NaN);
      return buffer;
    }

    /** What is turned. */
    float[] rows() {
      Layout layout = c.layout(c.source());
      float[] buffer = blank(c.source());
      Gaussian random = random(1);
      DType type = type();
      float factor = factor();
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          for (int h = 0; h < s.heads(); h++) {
            int at = layout.at(b, row, h);
            for (int i = at; Float.isNaN(buffer[at + s.headDim() - 1]); i++) {
              boolean outlier = c.content() == Content.OUTLIERS && random.nextInt(1000) == 0;
              float drawn = random.nextNormal() * (outlier ? OUTLIER : 1);
              buffer[i] = Rounding.round(type, drawn * factor);
            }
          }
        }
      }
      return buffer;
    }

    private float factor() {
      return switch (c.content()) {
        case TINY -> TINY_FACTOR;
        case SUBNORMAL -> type() == DType.FLOAT16 ? TINY_FACTOR : SUBNORMAL_FACTOR;
        default -> 1;
      };
    }

    float[] positions() {
      float[] buffer = blank("positions");
      Gaussian random = random(2);
      for (int b = 0; b < s.batch() && s.length() > 0; b++) {
        int at = c.positionsAt(b);
        int from = random.nextInt(s.positionCount());
        if (!Float.isNaN(buffer[at])) {
          continue;
        }
        for (int row = 0; row < s.length(); row++) {
          int position =
              c.order() == Order.CONSECUTIVE
                  ? (from + row) % s.positionCount()
                  : c.order() == Order.SAME ? from : random.nextInt(s.positionCount());
          buffer[at + row] = Float.intBitsToFloat(position);
        }
      }
      return buffer;
    }

    /** With zeros and ones, as at position 0, that an infinity meets. */
    float[] table(String name, int salt) {
      float[] buffer = blank(name);
      Gaussian random = random(salt);
      float factor = random(6).chance(0.2) ? SCALED : 1;
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          int at = c.tableAt(name, b, data.position(c, b, row));
          for (int i = at; Float.isNaN(buffer[at + s.pairs() - 1]); i++) {
            double kind = random.nextDouble();
            float drawn = (float) (2 * random.nextDouble() - 1);
            buffer[i] = factor * (kind < 0.1 ? 0 : kind < 0.2 ? Math.signum(drawn) : drawn);
          }
        }
      }
      return buffer;
    }

    /** One special number in the middle sequence, where that has an element. */
    void plant() {
      if (s.batch() == 0 || s.length() == 0) {
        return;
      }
      Gaussian random = random(5);
      int b = s.batch() / 2;
      int row = random.nextInt(s.length());
      int at = c.layout(c.source()).at(b, row, random.nextInt(s.heads()));
      int element = at + random.nextInt(s.headDim());
      float sign = random.pick(1f, -1f);
      float[] rows = data.get(c.source());
      switch (c.content()) {
        case LARGEST -> rows[element] = sign * Rounding.largest(type());
        case INFINITY -> rows[element] = sign * Float.POSITIVE_INFINITY;
        case NAN -> rows[element] = Float.NaN;
        case NAN_IN_TABLE -> {
          String table = random.pick("cosines", "sines");
          int entry = c.tableAt(table, b, data.position(c, b, row)) + random.nextInt(s.pairs());
          data.get(table)[entry] = Float.NaN;
        }
        default -> {}
      }
    }
  }
}

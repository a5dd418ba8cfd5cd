package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.append.AppendCase.Content;
import dev.fovea.testkit.append.AppendCase.Order;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of a case before its run as float values that are exact in their dtype, by the names
 * of the operands; integers have their bits, and bytes of a cache are numbers from 0 to 255.
 * Whatever must not reach a result is NaN: padding, rows of tables that are at no position, gaps,
 * and all of the cache, which is not to be read, but for rows that have a scale with new ones.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 10;

  /** What YaRN multiplies tables by, or about that. */
  private static final float SCALED = 1.25f;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The row of the tables that new row {@code s} of a sequence is at. */
  int position(AppendCase c, int b, int s) {
    float[] positions = get("positions");
    return positions == null
        ? c.sizes().starts()[b] + s
        : Float.floatToRawIntBits(positions[c.positionsAt(b) + s]);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(AppendCase c) {
    Operands data = new Operands(new HashMap<>());
    Draw draw = new Draw(c, data);
    data.all.put("key", draw.rows("key", 1));
    if (c.has("value")) {
      data.all.put("value", draw.rows("value", 2));
    }
    data.all.put("starts", draw.integers("starts", c.sizes().starts()));
    if (c.sizes().paged()) {
      data.all.put("block_table", draw.table());
    }
    if (c.has("positions")) {
      data.all.put("positions", draw.positions());
    }
    if (c.has("cosines")) {
      // Not of one angle: nothing depends on that, and what takes one for the other shows.
      data.all.put("cosines", draw.rotation("cosines", 4));
      data.all.put("sines", draw.rotation("sines", 5));
    }
    draw.plant();
    for (String of : List.of("key", "value")) {
      if (c.sharesScale(of)) {
        draw.earlier(of, of.equals("key") ? 6 : 7);
      }
    }
    return data;
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final AppendCase c;
    private final AppendSizes s;
    private final Operands data;

    Draw(AppendCase c, Operands data) {
      this.c = c;
      this.data = data;
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

    float[] rows(String of, int salt) {
      float[] buffer = blank(of);
      Gaussian random = random(salt);
      int columns = c.columns(of);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.rows()[b]; row++) {
          float factor = factor(random);
          for (int h = 0; h < s.heads(); h++) {
            int at = c.at(of, b, row, h);
            for (int i = at; Float.isNaN(buffer[at + columns - 1]); i++) {
              buffer[i] = Rounding.round(c.dtype(), factor * value(random));
            }
          }
        }
      }
      return buffer;
    }

    private float factor(Gaussian random) {
      return switch (c.content()) {
        case TINY -> TINY_FACTOR;
        case SUBNORMAL -> c.dtype() == DType.FLOAT16 ? TINY_FACTOR : SUBNORMAL_FACTOR;
        case ZEROS -> 0;
        case RISING -> Math.scalb(1f, random.between(-6, 9));
        default -> 1;
      };
    }

    private float value(Gaussian random) {
      float drawn = random.nextNormal();
      boolean outlier = c.content() == Content.OUTLIERS && random.nextInt(1000) == 0;
      return outlier ? OUTLIER * drawn : drawn;
    }

    float[] integers(String name, int[] values) {
      float[] buffer = blank(name);
      for (int i = 0; i < values.length; i++) {
        buffer[i] = Float.intBitsToFloat(values[i]);
      }
      return buffer;
    }

    float[] table() {
      float[] buffer = blank("block_table");
      for (int i = 0; i < s.table().length; i++) {
        int at = c.layout("block_table").at(new long[] {i / s.pageColumns()});
        buffer[at + i % s.pageColumns()] = Float.intBitsToFloat(s.table()[i]);
      }
      return buffer;
    }

    float[] positions() {
      float[] buffer = blank("positions");
      Gaussian random = random(3);
      for (int b = 0; b < s.batch(); b++) {
        int at = c.positionsAt(b);
        int from = random.nextInt(s.positionCount());
        for (int row = 0; row < s.rows()[b]; row++) {
          int position =
              c.order() == Order.CONSECUTIVE
                  ? (from + row) % s.positionCount()
                  : c.order() == Order.SAME ? from : random.nextInt(s.positionCount());
          if (Float.isNaN(buffer[at + row])) {
            buffer[at + row] = Float.intBitsToFloat(position);
          }
        }
      }
      return buffer;
    }

    /** With zeros and ones, as at position 0, that an infinity meets. */
    float[] rotation(String name, int salt) {
      float[] buffer = blank(name);
      Gaussian random = random(salt);
      float factor = random(8).chance(0.2) ? SCALED : 1;
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.rows()[b]; row++) {
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

    /** One special number in one row, where there is one. */
    void plant() {
      int b = s.batch() - 1;
      while (b >= 0 && s.rows()[b] == 0) {
        b--;
      }
      if (b < 0) {
        return;
      }
      Gaussian random = random(9);
      String of = c.has("value") && random.chance(0.4) ? "value" : "key";
      int row = random.nextInt(s.rows()[b]);
      int element = c.at(of, b, row, random.nextInt(s.heads())) + random.nextInt(c.columns(of));
      float sign = random.pick(1f, -1f);
      float[] rows = data.get(of);
      switch (c.content()) {
        case LARGEST -> rows[element] = sign * Rounding.largest(c.dtype());
        case INFINITY -> rows[element] = sign * Float.POSITIVE_INFINITY;
        case NAN -> rows[element] = Float.NaN;
        case NAN_IN_TABLE -> {
          if (c.has("cosines")) {
            String table = random.pick("cosines", "sines");
            int entry = c.tableAt(table, b, data.position(c, b, row)) + random.nextInt(s.pairs());
            data.get(table)[entry] = Float.NaN;
          }
        }
        default -> {}
      }
    }

    /** Rows of pages that new ones are added to, and their scales. */
    void earlier(String of, int salt) {
      float[] cache = blank(of + "_cache");
      float[] scales = blank(of + "_scales");
      Gaussian random = random(salt);
      for (int b = 0; b < s.batch(); b++) {
        int start = s.starts()[b];
        int first = s.rows()[b] == 0 ? start : c.firstOfScale(of, b, start);
        for (int h = 0; first < start && h < s.heads(); h++) {
          float scale = scale(random);
          scales[c.scaleAt(of, b, start, h)] = scale;
          for (int row = first; row < start; row++) {
            int at = c.cacheAt(of, b, row, h);
            for (int i = 0; i < c.cacheColumns(of); i++) {
              cache[at + i] = scale == 0 ? 0 : code(random);
            }
          }
        }
      }
      data.all.put(of + "_cache", cache);
      data.all.put(of + "_scales", scales);
    }

    /** Near to what N(0,1) needs; 0, far below it, or NaN, which stays. */
    private float scale(Gaussian random) {
      int near = Math.getExponent(4 / Quantization.most(c.cacheDType()));
      double kind = random.nextDouble();
      return kind < 0.06
          ? 0
          : kind < 0.1
              ? Float.NaN
              : Math.scalb(1f, near + (kind < 0.15 ? -20 : random.between(-6, 3)));
    }

    private int code(Gaussian random) {
      DType type = c.cacheDType();
      float drawn = 0.3f * Quantization.most(type) * random.nextNormal();
      if (type == DType.INT4X2) {
        return Quantization.quantize(type, drawn)
            | Quantization.quantize(type, 0.3f * Quantization.most(type) * random.nextNormal())
                << 4;
      }
      // Small ones, too, which have digits to lose.
      return Quantization.quantize(type, random.chance(0.3) ? drawn / 1024 : drawn);
    }
  }
}

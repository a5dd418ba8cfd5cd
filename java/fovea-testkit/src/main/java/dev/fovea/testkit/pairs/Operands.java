package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever the operation must not let into a result is NaN: padding behind the lengths,
 * gaps between rows. Those of a backward pass hold what its forward gave, too: out and lse are the
 * oracle's, rounded to their dtypes, so that a backward answers for its own errors alone; and what
 * gradients that are added to hold before.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final List<String> ACCUMULATED =
      List.of("dkey", "dvalue", "dweight", "dbias", "dbandwidth");
  private static final float SATURATED_FACTOR = 40;
  private static final int[] FAR_DISTANCES = {30, 38, 42, 60};
  private static final double FAR_SHARE = 0.2; // of rows
  private static final float OFFSET = 500;
  private static final float SMALL_FACTOR = 1e-3f;
  private static final float HEAVY_FACTOR = 8;
  private static final float TINY_FACTOR = 1e-6f;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The same with another buffer of one operand. */
  Operands with(String operand, float[] buffer) {
    Map<String, float[]> other = new HashMap<>(all);
    other.put(operand, buffer);
    return new Operands(other);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(PairCase c) {
    Content content = c.content();
    DType type = c.options().dtype();
    float far = content == Content.SATURATED ? SATURATED_FACTOR : 1;
    float near = content == Content.SMALL ? SMALL_FACTOR : far;
    Map<String, float[]> all = new HashMap<>();
    all.put("query", rows(c, "query", type, near, 1));
    all.put("key", rows(c, "key", type, near, 2));
    all.put("value", rows(c, "value", type, content == Content.TINY ? TINY_FACTOR : 1, 3));
    if (c.kind() == Kind.ADDITIVE) {
      all.put("weight", perHead(c, "weight", content == Content.HEAVY ? HEAVY_FACTOR : 1, 4));
    } else {
      all.put("bandwidth", bandwidths(c, 4));
    }
    if (c.hasAny("bias")) {
      all.put("bias", perHead(c, "bias", content == Content.SMALL ? SMALL_FACTOR : 1, 5));
    }
    plantNaN(c, all);
    Operands forward = new Operands(all);
    return c.isBackward() ? forward.withForward(c) : forward;
  }

  /** With out and lse of the forward on these operands, a dout, and what gradients hold before. */
  Operands withForward(PairCase c) {
    Map<String, float[]> more = new HashMap<>(all);
    Map<String, Expected> outputs = Oracle.run(c, this);
    more.put("out", rounded(outputs.get("out")));
    more.put("lse", rounded(outputs.get("lse")));
    Geometry g = c.geometry();
    for (int b = 0; b < g.batch() && !g.packed(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = g.lenQ(b); i < g.queryLength(); i++) {
          int at = c.layout("out").at(b, i, h);
          Arrays.fill(more.get("out"), at, at + g.valueHeadDim(), Float.NaN);
          more.get("lse")[g.lseIndex(c.layout("lse"), null, b, h, i)] = Float.NaN;
        }
      }
    }
    more.put("dout", rows(c, "dout", c.options().outDType(), 1, 6));
    if (c.gradients().accumulate()) {
      for (int i = 0; i < ACCUMULATED.size(); i++) {
        String name = ACCUMULATED.get(i);
        if (c.hasAny(name)) {
          more.put(name, before(c, name, 7 + i));
        }
      }
    }
    return new Operands(more);
  }

  /** What a right forward wrote, NaN where it wrote nothing. */
  private static float[] rounded(Expected output) {
    float[] buffer = new float[output.elements()];
    for (int i = 0; i < buffer.length; i++) {
      boolean written = output.state(i) != Expected.UNTOUCHED;
      buffer[i] = written ? Rounding.round(output.dtype(), output.value(i)) : Float.NaN;
    }
    return buffer;
  }

  private static Gaussian random(PairCase c, int salt) {
    return new Gaussian(Gaussian.mix(c.dataSeed() * 16 + salt));
  }

  private static float[] poisoned(Layout layout) {
    float[] buffer = new float[layout.elements()];
    Arrays.fill(buffer, Float.NaN);
    return buffer;
  }

  /** A buffer with values inside the lengths, of the queries or of the keys. */
  private static float[] rows(PairCase c, String name, DType type, float factor, int salt) {
    Layout layout = c.layout(name);
    Geometry g = c.geometry();
    float[] buffer = poisoned(layout);
    Draw draw = new Draw(c, type, factor, salt);
    if (name.equals("query") || name.equals("key")) {
      if (c.content() == Content.FAR) {
        draw.placeFar(random(c, 14), g.headDim());
      }
      draw.offset = c.content() == Content.OFFSET ? OFFSET : 0;
    }
    boolean keys = name.equals("key") || name.equals("value");
    int[] cu = keys ? g.cuK() : g.cuQ();
    for (int b = 0; b < g.batch(); b++) {
      for (int i = 0; i < (keys ? g.lenK(b) : g.lenQ(b)); i++) {
        for (int h = 0; h < layout.size()[2]; h++) {
          draw.fill(buffer, g.rowIndex(layout, cu, b, i, h), (int) layout.size()[3]);
        }
      }
    }
    return buffer;
  }

  private static float[] perHead(PairCase c, String name, float factor, int salt) {
    Layout layout = c.layout(name);
    float[] buffer = poisoned(layout);
    Draw draw = new Draw(c, DType.FLOAT32, factor, salt);
    for (int h = 0; h < c.geometry().queryHeads(); h++) {
      draw.fill(buffer, layout.at(h, 0, 0), c.geometry().headDim());
    }
    return buffer;
  }

  /** Around that where exp(x) of N(0,1) in every column is e^-2, of either sign. */
  private static float[] bandwidths(PairCase c, int salt) {
    Layout layout = c.layout("bandwidth");
    float[] buffer = poisoned(layout);
    Gaussian random = random(c, salt);
    boolean alike = c.content() == Content.CONSTANT;
    double usual = Math.sqrt(c.geometry().headDim() / 2.0);
    if (c.content() == Content.HEAVY) {
      usual /= HEAVY_FACTOR;
    }
    for (int h = 0; h < c.geometry().queryHeads(); h++) {
      double factor = alike ? 1 : Math.exp(0.5 * random.nextNormal());
      double sign = !alike && random.chance(0.1) ? -1 : 1;
      buffer[layout.at(0, 0, 0) + h] = (float) (sign * factor * usual);
    }
    return buffer;
  }

  /** Draws rows that nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final Gaussian random;
    private final DType type;
    private final float factor;
    private final boolean outliers;
    private final Float constant; // or null
    private float offset;
    private int farColumn = -1; // of some rows; or of none
    private int distance;

    Draw(PairCase c, DType type, float factor, int salt) {
      random = random(c, salt);
      this.type = type;
      this.factor = factor;
      outliers = c.content() == Content.OUTLIERS;
      constant = c.content() == Content.CONSTANT ? Rounding.round(type, random.nextNormal()) : null;
    }

    /**
     * The column and its distance from 0 that all of a case share, so that pairs can cancel. The
     * last is in the last part of a row, as long or short as that is.
     */
    void placeFar(Gaussian shared, int columns) {
      farColumn = shared.chance(0.5) ? columns - 1 : shared.nextInt(columns);
      distance = shared.among(FAR_DISTANCES);
    }

    void fill(float[] buffer, int at, int width) {
      if (width == 0 || !Float.isNaN(buffer[at])) {
        return;
      }
      for (int d = at; d < at + width; d++) {
        float drawn = random.nextNormal() * (outliers && random.nextInt(1000) == 0 ? 10 : 1);
        buffer[d] = constant != null ? constant : Rounding.round(type, offset + drawn * factor);
      }
      if (farColumn >= 0 && random.chance(FAR_SHARE)) {
        int far = random.pick(-distance, distance);
        buffer[at + farColumn] = Rounding.round(type, far + random.nextNormal());
      }
    }
  }

  /** One NaN inside the lengths of the middle sequence, where that has any element. */
  private static void plantNaN(PairCase c, Map<String, float[]> all) {
    Geometry g = c.geometry();
    int b = g.batch() / 2;
    if (g.batch() == 0 || g.lenQ(b) == 0 || g.lenK(b) == 0) {
      return;
    }
    Gaussian random = random(c, 15);
    int i = random.nextInt(g.lenQ(b));
    int j = random.nextInt(g.lenK(b));
    int h = random.nextInt(g.queryHeads());
    int a = random.nextInt(g.headDim());
    int d = random.nextInt(g.valueHeadDim());
    int kv = h / g.group();
    switch (c.content()) {
      case NAN_IN_QUERY ->
          all.get("query")[g.rowIndex(c.layout("query"), g.cuQ(), b, i, h) + a] = Float.NaN;
      case NAN_IN_KEY ->
          all.get("key")[g.rowIndex(c.layout("key"), g.cuK(), b, j, kv) + a] = Float.NaN;
      case NAN_IN_VALUE ->
          all.get("value")[g.rowIndex(c.layout("value"), g.cuK(), b, j, kv) + d] = Float.NaN;
      case NAN_IN_WEIGHT -> {
        if (c.kind() == Kind.ADDITIVE) {
          all.get("weight")[c.layout("weight").at(h, 0, 0) + a] = Float.NaN;
        } else {
          all.get("bandwidth")[c.layout("bandwidth").at(0, 0, 0) + h] = Float.NaN;
        }
      }
      default -> {}
    }
  }

  /** Any numbers, padding included: an accumulating kernel must leave those as they are. */
  private static float[] before(PairCase c, String name, int salt) {
    Layout layout = c.layout(name);
    float[] buffer = poisoned(layout);
    DType type = c.type(c.table().operand(name));
    Gaussian random = random(c, salt);
    long[] size = layout.size();
    for (int x = 0; x < size[0]; x++) {
      for (int y = 0; y < size[1]; y++) {
        for (int z = 0; z < size[2]; z++) {
          int at = layout.at(x, y, z);
          for (int d = at; d < at + size[3]; d++) {
            buffer[d] = Rounding.round(type, random.nextNormal());
          }
        }
      }
    }
    return buffer;
  }
}

package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.linear.LinearCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever the operation must not let into a result is NaN: padding behind the lengths,
 * gaps between rows. Those of a backward pass hold what its forward gave, too: out is the oracle's,
 * rounded to its dtype, so that a backward answers for its own errors alone; and what gradients
 * that are added to hold before.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final List<String> ACCUMULATED =
      List.of("dkey", "dvalue", "ddecay", "dkey_decay", "dbeta", "dinitial_state", "dinitial_sum");
  private static final float TINY_FACTOR = 1e-6f;
  private static final float SLOW_DECAY = 1e-3f;
  private static final float RESET = -10_000;
  private static final double RESET_SHARE = 0.05;

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
  public static Operands of(LinearCase c) {
    Draw draw = new Draw(c);
    Map<String, float[]> all = new HashMap<>();
    all.put("query", draw.rows("query", 1, draw::normals));
    all.put("key", draw.rows("key", 2, c.has("beta") ? draw::unitKey : draw::normals));
    all.put("value", draw.rows("value", 3, draw::values));
    draw.putIf(all, "decay", 4, draw::decays);
    draw.putIf(all, "key_decay", 5, draw::decays);
    draw.putIf(all, "beta", 6, draw::betas);
    draw.putIf(all, "initial_state", 7, draw::normals);
    draw.putIf(all, "initial_sum", 8, draw::sums);
    draw.plantNaN(all);
    Operands forward = new Operands(all);
    return c.isBackward() ? forward.withForward(c) : forward;
  }

  /** With out of the forward on these operands, a dout, and what gradients hold before. */
  private Operands withForward(LinearCase c) {
    Draw draw = new Draw(c);
    Map<String, float[]> more = new HashMap<>(all);
    more.put("out", rounded(Oracle.run(c, this).get("out")));
    Geometry g = c.geometry();
    for (int b = 0; b < g.batch() && !g.packed(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = g.lenQ(b); i < g.queryLength(); i++) {
          int at = c.layout("out").at(b, i, h);
          Arrays.fill(more.get("out"), at, at + g.valueHeadDim(), Float.NaN);
        }
      }
    }
    more.put("dout", draw.rows("dout", 9, draw::normals));
    if (c.gradients().accumulate()) {
      for (int i = 0; i < ACCUMULATED.size(); i++) {
        String name = ACCUMULATED.get(i);
        if (c.has(name)) {
          more.put(name, draw.before(name, 10 + i));
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

  /** Fills a row of an operand with values that are not rounded yet. */
  private interface Row {
    void fill(Gaussian random, double[] row);
  }

  /** Draws rows that nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final LinearCase c;
    private final Geometry g;
    private final Content content;

    Draw(LinearCase c) {
      this.c = c;
      g = c.geometry();
      content = c.content();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 32 + salt));
    }

    void normals(Gaussian random, double[] row) {
      for (int d = 0; d < row.length; d++) {
        boolean outlier = content == Content.OUTLIERS && random.nextInt(1000) == 0;
        row[d] = random.nextNormal() * (outlier ? 10 : 1);
      }
    }

    void values(Gaussian random, double[] row) {
      normals(random, row);
      for (int d = 0; d < row.length && content == Content.TINY; d++) {
        row[d] *= TINY_FACTOR;
      }
    }

    /** What has features of length 1, with which the delta rule never grows. */
    void unitKey(Gaussian random, double[] row) {
      normals(random, row);
      if (content == Content.CONSTANT) {
        Arrays.fill(row, row[0]);
      }
      FeatureMap map = c.options().featureMap();
      double squares = 0;
      for (int d = 0; d < row.length; d++) {
        row[d] = map == FeatureMap.ELU_PLUS_ONE ? Math.abs(row[d]) + 1e-3 : row[d];
        squares += map == FeatureMap.RELU && row[d] < 0 ? 0 : row[d] * row[d];
      }
      double length = Math.max(1e-3, Math.sqrt(squares)) * 1.005; // rounded, it is not above 1
      for (int d = 0; d < row.length; d++) {
        row[d] /= length;
        row[d] = map == FeatureMap.ELU_PLUS_ONE ? Math.log(row[d]) : row[d];
      }
    }

    void decays(Gaussian random, double[] row) {
      for (int d = 0; d < row.length; d++) {
        double x = Math.abs(random.nextNormal());
        boolean reset = content == Content.RESETS && random.chance(RESET_SHARE);
        row[d] = reset ? RESET : -x * (content == Content.SLOW ? SLOW_DECAY : 0.7);
      }
    }

    void betas(Gaussian random, double[] row) {
      // A few are negative or above 1, where states grow.
      Arrays.setAll(
          row, d -> random.chance(0.02) ? 2 * random.nextDouble() - 0.5 : random.nextDouble());
    }

    void sums(Gaussian random, double[] row) {
      Arrays.setAll(row, d -> Math.abs(random.nextNormal()));
    }

    void putIf(Map<String, float[]> all, String name, int salt, Row row) {
      if (c.has(name)) {
        all.put(name, rows(name, salt, row));
      }
    }

    /** Inside the lengths of queries or keys; all of what has no positions. */
    float[] rows(String name, int salt, Row row) {
      Layout layout = c.layout(name);
      float[] buffer = new float[layout.elements()];
      Arrays.fill(buffer, Float.NaN);
      DType type = c.type(c.table().operand(name));
      Gaussian random = random(salt);
      double[] drawn = new double[(int) layout.size()[3]];
      boolean queries = name.equals("query") || name.equals("dout");
      boolean positions = !name.startsWith("initial") && layout.size()[1] == rowsOf(queries);
      if (!positions) {
        for (int x = 0; x < layout.size()[0]; x++) {
          for (int y = 0; y < layout.size()[1]; y++) {
            for (int z = 0; z < layout.size()[2]; z++) {
              fill(buffer, layout.at(x, y, z), type, random, drawn, row);
            }
          }
        }
        return buffer;
      }
      int[] cu = queries ? g.cuQ() : g.cuK();
      for (int b = 0; b < g.batch(); b++) {
        for (int i = 0; i < (queries ? g.lenQ(b) : g.lenK(b)); i++) {
          for (int h = 0; h < layout.size()[2]; h++) {
            int at = g.packed() ? layout.at(0, cu[b] + i, h) : layout.atBroadcast(b, i, h);
            fill(buffer, at, type, random, drawn, row);
          }
        }
      }
      return buffer;
    }

    private int rowsOf(boolean queries) {
      return queries ? g.queryRows() : g.keyRows();
    }

    private void fill(
        float[] buffer, int at, DType type, Gaussian random, double[] drawn, Row row) {
      if (drawn.length == 0 || !Float.isNaN(buffer[at])) {
        return;
      }
      // The same numbers for every row, and the same number in a row.
      row.fill(content == Content.CONSTANT ? random(30) : random, drawn);
      for (int d = 0; d < drawn.length; d++) {
        buffer[at + d] = Rounding.round(type, drawn[content == Content.CONSTANT ? 0 : d]);
      }
    }

    /** One NaN inside the lengths of the middle sequence, where that has any element. */
    void plantNaN(Map<String, float[]> all) {
      int b = g.batch() / 2;
      if (g.batch() == 0 || g.lenQ(b) == 0 || g.lenK(b) == 0) {
        return;
      }
      Gaussian random = random(31);
      int i = random.nextInt(g.lenQ(b));
      int j = random.nextInt(g.lenK(b));
      int h = random.nextInt(g.queryHeads());
      int kv = h / g.group();
      switch (content) {
        case NAN_IN_QUERY -> plant(all, "query", g.rowIndex(c.layout("query"), g.cuQ(), b, i, h));
        case NAN_IN_KEY -> plant(all, "key", g.rowIndex(c.layout("key"), g.cuK(), b, j, kv));
        case NAN_IN_VALUE -> plant(all, "value", g.rowIndex(c.layout("value"), g.cuK(), b, j, kv));
        default -> {}
      }
    }

    private static void plant(Map<String, float[]> all, String name, int at) {
      all.get(name)[at] = Float.NaN;
    }

    /** Any numbers, padding included: an accumulating kernel must leave those as they are. */
    float[] before(String name, int salt) {
      Layout layout = c.layout(name);
      float[] buffer = new float[layout.elements()];
      Arrays.fill(buffer, Float.NaN);
      DType type = c.type(c.table().operand(name));
      Gaussian random = random(salt);
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
}

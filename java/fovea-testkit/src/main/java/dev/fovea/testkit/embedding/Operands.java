package dev.fovea.testkit.embedding;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands; those of indices have their bits. Whatever must not reach a result is NaN: rows that no
 * token is at, both tables in a backward pass, gaps. Gradients that are added to have what they
 * hold before, in rows that get something.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 10;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The row of table that a token is at. */
  int id(EmbeddingCase c, int b, int s) {
    return Float.floatToRawIntBits(get("ids")[c.rowAt("ids", b) + s]);
  }

  /** The row of positions that a token is at. */
  int position(EmbeddingCase c, int b, int s) {
    if (!c.has("position_ids")) {
      return s;
    }
    int at = c.rowAt("position_ids", c.own("position_ids", b)) + s;
    return Float.floatToRawIntBits(get("position_ids")[at]);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(EmbeddingCase c) {
    Operands data = new Operands(new HashMap<>());
    new Draw(c, data).draw();
    return data;
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final EmbeddingCase c;
    private final EmbeddingSizes s;
    private final Operands data;

    Draw(EmbeddingCase c, Operands data) {
      this.c = c;
      this.data = data;
      s = c.sizes();
    }

    void draw() {
      c.layouts().keySet().stream()
          .filter(it -> !c.table().operand(it).written())
          .forEach(this::blank);
      ids();
      if (c.has("position_ids")) {
        positionIds();
      }
      boolean adds = c.isBackward() && c.gradients().accumulate();
      for (String gradient : new String[] {"dtable", "dpositions"}) {
        if (adds && c.has(gradient)) {
          blank(gradient);
        }
      }
      Gaussian random = random(1);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          token(random, b, row);
        }
      }
      plant();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private void blank(String name) {
      float[] buffer = new float[c.layout(name).elements()];
      Arrays.fill(buffer, Float.NaN);
      data.all.put(name, buffer);
    }

    /** Rows that it is at, or its row of dout and what gradients hold before. */
    private void token(Gaussian random, int b, int row) {
      int id = data.id(c, b, row);
      int position = c.has("positions") ? data.position(c, b, row) : -1;
      if (!c.isBackward()) {
        fill("table", c.dtype(), c.rowAt("table", id), random, true);
        if (position >= 0) {
          fill("positions", c.dtype(), c.rowAt("positions", position), random, true);
        }
        return;
      }
      fill("dout", c.outDType(), c.tokenAt("dout", b, row), random, true);
      if (data.get("dtable") != null && id != c.padding()) {
        fill("dtable", DType.FLOAT32, c.rowAt("dtable", id), random, false);
      }
      if (data.get("dpositions") != null) {
        fill("dpositions", DType.FLOAT32, c.rowAt("dpositions", position), random, false);
      }
    }

    private void fill(String name, DType type, int at, Gaussian random, boolean byContent) {
      float[] buffer = data.get(name);
      if (!Float.isNaN(buffer[at])) {
        return;
      }
      float constant = random(7).nextNormal();
      for (int i = at; i < at + s.width(); i++) {
        float drawn = random.nextNormal();
        buffer[i] =
            Rounding.round(type, byContent ? byContent(drawn, constant, type, random) : drawn);
      }
    }

    private float byContent(float drawn, float constant, DType type, Gaussian random) {
      return switch (c.content()) {
        case OUTLIERS -> random.nextInt(1000) == 0 ? drawn * OUTLIER : drawn;
        case CONSTANT -> constant;
        case TINY -> drawn * TINY_FACTOR;
        case SUBNORMAL -> drawn * (type == DType.FLOAT16 ? TINY_FACTOR : SUBNORMAL_FACTOR);
        default -> drawn;
      };
    }

    private void ids() {
      Gaussian random = random(2);
      int[] all = new int[s.vocabulary()];
      Arrays.setAll(all, i -> i);
      int same = random.nextInt(s.vocabulary());
      int next = 0;
      for (int b = 0; b < s.batch() && s.length() > 0; b++) {
        int at = c.rowAt("ids", b);
        for (int row = 0; row < s.length(); row++) {
          int id =
              switch (c.ids()) {
                case ANY -> random.nextInt(s.vocabulary());
                case SKEWED -> skewed(random);
                case SAME -> same;
                case DISTINCT -> distinct(all, next++ % s.vocabulary(), random);
              };
          data.get("ids")[at + row] = Float.intBitsToFloat(id);
        }
      }
    }

    /** Row v with probability about 1 / v. */
    private int skewed(Gaussian random) {
      double power = Math.pow(s.vocabulary(), random.nextDouble());
      return Math.min(s.vocabulary() - 1, (int) power - 1);
    }

    /** The next of a shuffle. */
    private static int distinct(int[] all, int next, Gaussian random) {
      int other = random.between(next, all.length - 1);
      int drawn = all[other];
      all[other] = all[next];
      all[next] = drawn;
      return drawn;
    }

    private void positionIds() {
      Gaussian random = random(3);
      Layout layout = c.layout("position_ids");
      boolean rising = random.chance(0.5);
      for (int b = 0; b < layout.size()[0] && s.length() > 0; b++) {
        int at = c.rowAt("position_ids", b);
        int from = random.nextInt(s.positionCount());
        if (!Float.isNaN(data.get("position_ids")[at])) {
          continue;
        }
        for (int row = 0; row < s.length(); row++) {
          int any = random.nextInt(s.positionCount());
          int position = rising ? (from + row) % s.positionCount() : any;
          data.get("position_ids")[at + row] = Float.intBitsToFloat(position);
        }
      }
    }

    /** One special number in the middle sequence, where that has an element. */
    private void plant() {
      if (s.batch() == 0 || s.length() == 0) {
        return;
      }
      Gaussian random = random(5);
      int b = s.batch() / 2;
      int row = random.nextInt(s.length());
      int column = random.nextInt(s.width());
      boolean position = c.has("positions") && random.chance(0.3);
      float[] buffer = data.get(c.isBackward() ? "dout" : position ? "positions" : "table");
      int at =
          c.isBackward()
              ? c.tokenAt("dout", b, row)
              : position
                  ? c.rowAt("positions", data.position(c, b, row))
                  : c.rowAt("table", data.id(c, b, row));
      float sign = random.pick(1f, -1f);
      DType type = c.isBackward() ? c.outDType() : c.dtype();
      switch (c.content()) {
        case LARGEST -> buffer[at + column] = sign * Rounding.largest(type);
        case INFINITY -> buffer[at + column] = sign * Float.POSITIVE_INFINITY;
        case NAN -> buffer[at + column] = Float.NaN;
        default -> {}
      }
    }
  }
}

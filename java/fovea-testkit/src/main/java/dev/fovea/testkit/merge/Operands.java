package dev.fovea.testkit.merge;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.merge.MergeCase.Lses;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands. Whatever must not reach a result is NaN: rows of parts that add nothing, gaps.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  /** How far below the largest lse of its row a part adds nothing. */
  static final double NOTHING = 88;

  private static final float TINY_FACTOR = 1e-6f;
  private static final float SUBNORMAL_FACTOR = 1e-39f;
  private static final float OUTLIER = 100;

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  double lse(MergeCase c, int p, int b, int h, int i) {
    return get("lses")[c.lsesAt(p, b, h, i)];
  }

  /** -infinity where there are none. */
  double sink(MergeCase c, int h) {
    return c.has("sinks")
        ? get("sinks")[c.layout("sinks").at(new long[0]) + h]
        : Double.NEGATIVE_INFINITY;
  }

  /** The largest of a row, of its sink too; NaN where one is NaN. */
  double largest(MergeCase c, int b, int h, int i) {
    double largest = sink(c, h);
    for (int p = 0; p < c.sizes().parts(); p++) {
      largest = Math.max(largest, lse(c, p, b, h, i));
    }
    return largest;
  }

  /** Whether a part adds something to a row whose largest lse is that. */
  boolean counts(MergeCase c, double largest, int p, int b, int h, int i) {
    double lse = lse(c, p, b, h, i);
    return lse != Double.NEGATIVE_INFINITY && !(largest - lse > NOTHING);
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(MergeCase c) {
    Operands data = new Operands(new HashMap<>());
    new Draw(c, data).draw();
    return data;
  }

  private interface Row {
    void take(int b, int h, int i);
  }

  private static final class Draw {
    private final MergeCase c;
    private final MergeSizes s;
    private final Operands data;

    Draw(MergeCase c, Operands data) {
      this.c = c;
      this.data = data;
      s = c.sizes();
    }

    void draw() {
      for (String name : new String[] {"outs", "lses", "sinks"}) {
        if (c.has(name)) {
          float[] buffer = new float[c.layout(name).elements()];
          Arrays.fill(buffer, Float.NaN);
          data.all.put(name, buffer);
        }
      }
      lses();
      sinks();
      outs();
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private void each(Row row) {
      for (int b = 0; b < s.batch(); b++) {
        for (int i = 0; i < s.length(); i++) {
          for (int h = 0; h < s.heads(); h++) {
            row.take(b, h, i);
          }
        }
      }
    }

    private void lses() {
      Gaussian random = random(2);
      float[] buffer = data.get("lses");
      each(
          (b, h, i) -> {
            float base = base(random);
            int one = random.nextInt(s.parts());
            boolean none = c.empty() && random.chance(0.1);
            for (int p = 0; p < s.parts(); p++) {
              int at = c.lsesAt(p, b, h, i);
              float drawn = lse(base, p == one, random);
              boolean empty = none || c.empty() && random.chance(0.4);
              if (Float.isNaN(buffer[at])) { // else it is that of another row or part, too
                buffer[at] = empty ? Float.NEGATIVE_INFINITY : drawn;
              }
            }
          });
      if (c.lses() == Lses.NO_NUMBER && s.rows() > 0) {
        int at =
            c.lsesAt(
                random.nextInt(s.parts()),
                random.nextInt(s.batch()),
                random.nextInt(s.heads()),
                random.nextInt(s.length()));
        buffer[at] = random.pick(Float.NaN, Float.POSITIVE_INFINITY);
      }
    }

    private float base(Gaussian random) {
      return switch (c.lses()) {
        case LARGE -> random.nextNormal() * random.pick(1e2f, 1e4f, 3e5f);
        case EQUAL, FAINT, DOMINATED -> 3 * random.nextNormal();
        default -> 0;
      };
    }

    private float lse(float base, boolean one, Gaussian random) {
      float normal = random.nextNormal();
      return switch (c.lses()) {
        case NORMAL, NO_NUMBER -> 2 * normal;
        case SPREAD -> 40 * normal;
        case EQUAL -> base;
        case DOMINATED -> base + normal + (one ? 100 : 0);
        case FAINT -> one ? base : base - 80 - 9 * (float) random.nextDouble();
        case LARGE -> base + normal;
      };
    }

    private void sinks() {
      if (!c.has("sinks")) {
        return;
      }
      Gaussian random = random(3);
      int at = c.layout("sinks").at(new long[0]);
      for (int h = 0; h < s.heads(); h++) {
        float normal = random.nextNormal();
        float above = random.pick(0f, 0f, 0f, 100f, -100f);
        boolean none = random.chance(0.1);
        data.get("sinks")[at + h] = none ? Float.NEGATIVE_INFINITY : 2 * normal + above;
      }
      if (c.lses() == Lses.NO_NUMBER && random.chance(0.3)) {
        data.get("sinks")[at + random.nextInt(s.heads())] =
            random.pick(Float.NaN, Float.POSITIVE_INFINITY);
      }
    }

    private void outs() {
      Gaussian random = random(1);
      float[] buffer = data.get("outs");
      each(
          (b, h, i) -> {
            double largest = data.largest(c, b, h, i);
            for (int p = 0; p < s.parts(); p++) {
              int at = c.outsAt(p, b, i, h);
              if (data.counts(c, largest, p, b, h, i) && Float.isNaN(buffer[at])) {
                fill(buffer, at, random);
              }
            }
          });
      plant();
    }

    private void fill(float[] buffer, int at, Gaussian random) {
      float constant = random(7).nextNormal();
      for (int e = at; e < at + s.width(); e++) {
        float drawn = random.nextNormal();
        buffer[e] = Rounding.round(c.dtype(), byContent(drawn, constant, random));
      }
    }

    private float byContent(float drawn, float constant, Gaussian random) {
      return switch (c.content()) {
        case OUTLIERS -> random.nextInt(1000) == 0 ? drawn * OUTLIER : drawn;
        case CONSTANT -> constant;
        case TINY -> drawn * TINY_FACTOR;
        case SUBNORMAL -> drawn * (c.dtype() == DType.FLOAT16 ? TINY_FACTOR : SUBNORMAL_FACTOR);
        default -> drawn;
      };
    }

    /** One special number in a part that counts, where there is one in a row. */
    private void plant() {
      if (s.rows() == 0) {
        return;
      }
      Gaussian random = random(5);
      int b = random.nextInt(s.batch());
      int h = random.nextInt(s.heads());
      int i = random.nextInt(s.length());
      int p = random.nextInt(s.parts());
      int at = c.outsAt(p, b, i, h) + random.nextInt(s.width());
      float sign = random.pick(1f, -1f);
      if (!data.counts(c, data.largest(c, b, h, i), p, b, h, i)) {
        return;
      }
      float[] buffer = data.get("outs");
      switch (c.content()) {
        case LARGEST -> buffer[at] = sign * Rounding.largest(c.dtype());
        case INFINITY -> buffer[at] = sign * Float.POSITIVE_INFINITY;
        case NAN -> buffer[at] = Float.NaN;
        default -> {}
      }
    }
  }
}

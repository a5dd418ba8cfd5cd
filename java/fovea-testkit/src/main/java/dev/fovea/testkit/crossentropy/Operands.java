package dev.fovea.testkit.crossentropy;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The buffers of a case as float values that are exact in their dtype, by the names of the
 * operands; those of targets have their bits. Whatever must not reach a result is NaN: ignored
 * rows, weights of classes that are no target where there is no smoothing, gaps.
 *
 * @param all the buffers
 */
public record Operands(Map<String, float[]> all) {

  private static final float SPREAD = 2;
  private static final float OUTLIER = 20;
  private static final float TINY = 1e-6f;
  private static final float WIDE = 100;
  private static final float CONFIDENCE = 12;
  private static final int BLANK = Float.floatToRawIntBits(Float.NaN);

  /** The buffer of an operand; null where there is none. */
  public float[] get(String operand) {
    return all.get(operand);
  }

  /** The target of a row; negative for none. */
  int target(CrossEntropyCase c, int b, int s) {
    return Float.floatToRawIntBits(get("targets")[c.at("targets", b, s)]);
  }

  /** The weight of a class. */
  double weight(CrossEntropyCase c, int v) {
    float[] weights = get("class_weight");
    return weights == null ? 1 : weights[(int) c.layout("class_weight").offset() + v];
  }

  /** Draws the operands of a case: a pure function of it. */
  public static Operands of(CrossEntropyCase c) {
    Operands data = new Operands(new HashMap<>());
    new Draw(c, data).draw();
    return data;
  }

  /** Draws what nothing was drawn for yet: others share their memory. */
  private static final class Draw {
    private final CrossEntropyCase c;
    private final CrossEntropySizes s;
    private final Operands data;

    Draw(CrossEntropyCase c, Operands data) {
      this.c = c;
      this.data = data;
      s = c.sizes();
    }

    void draw() {
      for (String name : c.layouts().keySet()) {
        if (!c.table().operand(name).written()) {
          float[] buffer = new float[c.layout(name).elements()];
          Arrays.fill(buffer, Float.NaN);
          data.all.put(name, buffer);
        }
      }
      targets();
      if (c.has("class_weight")) {
        weights();
      }
      Gaussian random = random(1);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          if (data.target(c, b, row) >= 0) {
            logits(random, b, row);
          }
        }
      }
      plant();
      if (c.isBackward()) {
        rest();
      }
    }

    private Gaussian random(int salt) {
      return new Gaussian(Gaussian.mix(c.dataSeed() * 8 + salt));
    }

    private void targets() {
      Gaussian random = random(2);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          int at = c.at("targets", b, row);
          if (data.target(c, b, row) == BLANK) {
            int any = random.nextInt(s.classes());
            int none = random.among(-1, -100, Integer.MIN_VALUE);
            // Rows that share their logits are ignored together, so that those stay unread.
            boolean ignored = random(3 + row).chance(c.ignored());
            data.get("targets")[at] = Float.intBitsToFloat(ignored ? none : any);
          }
        }
      }
    }

    private void weights() {
      Gaussian random = random(4);
      int offset = (int) c.layout("class_weight").offset();
      boolean[] read = new boolean[s.classes()];
      Arrays.fill(read, c.smoothing() > 0);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          if (data.target(c, b, row) >= 0) {
            read[data.target(c, b, row)] = true;
          }
        }
      }
      for (int v = 0; v < s.classes(); v++) {
        boolean none = s.classes() > 1 && random.chance(0.1);
        float weight = none ? 0 : 0.1f + 0.9f * (float) random.nextDouble();
        data.get("class_weight")[offset + v] = read[v] ? weight : Float.NaN;
      }
    }

    private void logits(Gaussian random, int b, int row) {
      float[] buffer = data.get("logits");
      int at = c.rowAt("logits", b, row);
      if (!Float.isNaN(buffer[at])) {
        return;
      }
      float common = random.nextNormal();
      for (int v = 0; v < s.classes(); v++) {
        float drawn = random.nextNormal();
        float logit =
            switch (c.content()) {
              case OUTLIERS -> drawn * (random.nextInt(1000) == 0 ? SPREAD * OUTLIER : SPREAD);
              case CONSTANT -> common;
              case TINY -> drawn * TINY;
              case CONFIDENT -> v == data.target(c, b, row) ? CONFIDENCE : drawn;
              case WIDE -> drawn * WIDE;
              case FAR -> drawn + 400 * Math.signum(common);
              case RISING -> 60f * v / s.classes() + 0.01f * drawn;
              case HOLES -> random.chance(0.1) ? Float.NEGATIVE_INFINITY : drawn * SPREAD;
              default -> drawn * SPREAD;
            };
        buffer[at + v] = Rounding.round(c.dtype(), logit);
      }
    }

    /** dout, and what the forward pass wrote to lse. */
    private void rest() {
      Gaussian random = random(6);
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          if (data.target(c, b, row) < 0) {
            continue;
          }
          int dout = c.at("dout", b, row);
          if (Float.isNaN(data.get("dout")[dout])) {
            data.get("dout")[dout] = random.nextNormal();
          }
          int lse = c.at("lse", b, row);
          data.get("lse")[lse] = (float) new LogSum(c, data, b, row).lse();
        }
      }
      if (c.content() == Content.NAN_IN_DOUT && s.batch() > 0 && s.length() > 0) {
        data.get("dout")[c.at("dout", s.batch() / 2, random.nextInt(s.length()))] = Float.NaN;
      }
    }

    /** What one row of the middle sequence has, if it is not ignored. */
    private void plant() {
      if (s.batch() == 0 || s.length() == 0) {
        return;
      }
      Gaussian random = random(5);
      int b = s.batch() / 2;
      int row = random.nextInt(s.length());
      int target = data.target(c, b, row);
      if (target < 0) {
        return;
      }
      int at = c.rowAt("logits", b, row);
      float[] logits = data.get("logits");
      DType type = c.dtype();
      int any = at + random.nextInt(s.classes());
      switch (c.content()) {
        case HOLE_AT_TARGET -> logits[at + target] = Float.NEGATIVE_INFINITY;
        case NOTHING -> Arrays.fill(logits, at, at + s.classes(), Float.NEGATIVE_INFINITY);
        case LARGEST -> logits[any] = random.pick(1f, -1f) * Rounding.largest(type);
        case INFINITY -> logits[any] = Float.POSITIVE_INFINITY;
        case NAN -> logits[any] = Float.NaN;
        default -> {}
      }
    }
  }
}

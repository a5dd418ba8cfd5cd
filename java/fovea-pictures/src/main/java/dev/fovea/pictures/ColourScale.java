package dev.fovea.pictures;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.util.Locale;

/** Colours of weights between two ends, and the bar that explains them. */
final class ColourScale {
  static final int BAR_WIDTH = 18;

  /** What a bar takes beside its colours. */
  static final int BAR_LABELS = 70;

  /** Stripes of what is NaN: neither is a colour of the ramp, nor are they alike in grey. */
  static final Color NAN_LIGHT = new Color(0xE69F00);

  static final Color NAN_DARK = new Color(0x5A3A00);

  // Anchors in equal steps: one hue whose lightness falls all the way.
  private static final int[] RAMP = {0xFFFFFF, 0xDCE9F5, 0xA6CBE3, 0x5BA3CF, 0x2171B5, 0x08306B};

  private static final int TICKS = 4;

  private final float low;
  private final float high;

  private ColourScale(float low, float high) {
    this.low = low;
    this.high = high;
  }

  /** From one number to a larger one. */
  static ColourScale between(double low, double high) {
    if (!(low < high) || !Float.isFinite((float) low) || !Float.isFinite((float) high)) {
      throw new IllegalArgumentException(
          "range is " + low + " to " + high + ", expected a finite number and a larger one");
    }
    return new ColourScale((float) low, (float) high);
  }

  /** From 0, or the smallest where that is negative, to the largest finite value. */
  static ColourScale of(Grid grid) {
    float low = 0;
    float high = 0;
    for (float value : grid.values()) {
      if (Float.isFinite(value)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    return new ColourScale(low, high > low ? high : low + 1);
  }

  /** From 0 at the low end to 1 at the high one; what is beyond an end is drawn as that. */
  float share(float value) {
    return Math.clamp((value - low) / (high - low), 0f, 1f);
  }

  /** The number at a share. */
  float value(double share) {
    return (float) (low + share * ((double) high - low));
  }

  /** The colour of a share from 0 to 1. */
  static Color colour(float share) {
    float at = Math.clamp(share, 0f, 1f) * (RAMP.length - 1);
    int below = Math.min((int) at, RAMP.length - 2);
    return new Color(mix(RAMP[below], RAMP[below + 1], at - below));
  }

  /** Between two colours. */
  static int mix(int from, int to, float part) {
    int mixed = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
      int a = from >> shift & 0xFF;
      int b = to >> shift & 0xFF;
      mixed |= Math.round(a + part * (b - a)) << shift;
    }
    return mixed;
  }

  /** That of a pixel of what is NaN: stripes, whatever the size of a cell. */
  static Color nan(int x, int y) {
    return (x + y & 2) == 0 ? NAN_LIGHT : NAN_DARK;
  }

  /** Fills a cell. */
  void fill(Graphics2D g, float value, int x, int y, int size) {
    if (!Float.isNaN(value)) {
      g.setColor(colour(share(value)));
      g.fillRect(x, y, size, size);
      return;
    }
    for (int i = x; i < x + size; i++) {
      for (int j = y; j < y + size; j++) {
        g.setColor(nan(i, j));
        g.fillRect(i, j, 1, 1);
      }
    }
  }

  /** The bar with its numbers, and below it what NaN looks like. */
  void drawBar(Graphics2D g, int left, int top, int length, boolean withNan, Ramp ramp) {
    g.setStroke(new BasicStroke(1));
    for (int i = 0; i < length; i++) {
      g.setColor(ramp.at(1 - i / (float) (length - 1)));
      g.fillRect(left, top + i, BAR_WIDTH, 1);
    }
    g.setColor(Color.GRAY);
    g.drawRect(left, top, BAR_WIDTH, length);
    g.setColor(Color.BLACK);
    for (int i = 0; i <= TICKS; i++) {
      String number = text(value((TICKS - i) / (double) TICKS));
      g.drawString(number, left + BAR_WIDTH + 6, top + i * length / TICKS + 5);
    }
    g.drawString("weight", left - 4, top - 10);
    if (withNan) {
      fill(g, Float.NaN, left, top + length + 12, BAR_WIDTH);
      g.setColor(Color.BLACK);
      g.drawString("NaN", left + BAR_WIDTH + 6, top + length + 26);
    }
  }

  /** Colours of shares. */
  interface Ramp {
    Color at(float share);
  }

  /** Two digits behind the point, if the ends have any before the third. */
  String text(float value) {
    float size = Math.max(Math.abs(low), Math.abs(high));
    boolean plain = size >= 0.1f && size < 1000;
    return String.format(Locale.ROOT, plain ? "%.2f" : "%.1e", value);
  }
}

package dev.fovea.cli.demo;

import dev.fovea.cli.plot.Picture;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/**
 * A picture of attention weights: one row for each token that looks, one column for each token that
 * is looked at, darker where the weight is larger.
 */
final class Heatmap {

  /** More tokens than this make no readable picture. */
  static final int MAX_TOKENS = 160;

  // Anchors of the colour ramp from 0 to the largest weight, in equal steps.
  private static final int[] RAMP = {0xFFFFFF, 0xDCE9F5, 0xA6CBE3, 0x5BA3CF, 0x2171B5, 0x08306B};

  private static final int MARGIN = 24;
  private static final int GAP = 8; // between labels and cells
  private static final int BAR_WIDTH = 18;
  private static final int NUMBERS_FROM = 40; // cells of so many pixels also show their number

  private final List<String> tokens;
  private final float[] weights;
  private final String title;
  private final int cell;
  private final Font labelFont;
  private final Font titleFont;
  private final Font smallFont;

  /**
   * A picture to be drawn.
   *
   * @param tokens labels of rows and columns
   * @param weights [tokens, tokens], row by row
   * @param title what is shown
   */
  Heatmap(List<String> tokens, float[] weights, String title) {
    int n = tokens.size();
    checkTokens(n);
    this.tokens = tokens;
    this.weights = weights;
    this.title = title;
    cell = Math.clamp(900 / n, 14, 52);
    labelFont = new Font(Font.SANS_SERIF, Font.PLAIN, Math.clamp(cell - 3, 10, 15));
    titleFont = new Font(Font.SANS_SERIF, Font.BOLD, 18);
    smallFont = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
  }

  /** Refuses a picture that nobody could read. */
  static void checkTokens(int count) {
    if (count == 0 || count > MAX_TOKENS) {
      throw new IllegalArgumentException(
          "a heatmap of " + count + " tokens is not readable, expected 1 to " + MAX_TOKENS);
    }
  }

  /**
   * The picture as PNG.
   *
   * @throws IOException if this machine has no fonts
   */
  byte[] png() throws IOException {
    return Picture.png(this::draw);
  }

  BufferedImage draw() {
    BufferedImage probe = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB);
    Graphics2D measure = probe.createGraphics();
    FontMetrics labels = measure.getFontMetrics(labelFont);
    int label = tokens.stream().mapToInt(labels::stringWidth).max().orElse(0);
    int titleWidth = measure.getFontMetrics(titleFont).stringWidth(title);
    measure.dispose();

    int side = cell * tokens.size();
    int left = MARGIN + 24 + label + GAP;
    int top = MARGIN + 60 + label + GAP;
    int barLeft = left + side + 28;
    int width = Math.max(barLeft + BAR_WIDTH + 70, MARGIN + titleWidth + MARGIN);
    int height = top + Math.max(side, 120) + MARGIN;
    return Picture.draw(
        width,
        height,
        g -> {
          g.setFont(titleFont);
          g.drawString(title, MARGIN, MARGIN + 16);
          float max = max();
          drawCells(g, left, top, max);
          drawLabels(g, left, top);
          drawBar(g, barLeft, top, Math.max(side, 120), max);
        });
  }

  private float max() {
    float max = Float.MIN_NORMAL; // never 0: it divides
    for (float w : weights) {
      max = Math.max(max, w);
    }
    return max;
  }

  private void drawCells(Graphics2D g, int left, int top, float max) {
    int n = tokens.size();
    g.setFont(smallFont);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        float weight = weights[i * n + j];
        int x = left + j * cell;
        int y = top + i * cell;
        g.setColor(colour(weight / max));
        g.fillRect(x, y, cell, cell);
        if (cell >= NUMBERS_FROM) {
          g.setColor(weight / max > 0.5 ? Color.WHITE : Color.DARK_GRAY);
          centred(g, String.format(Locale.ROOT, "%.2f", weight), x, y);
        }
      }
    }
    g.setColor(new Color(0xE4E4E4));
    for (int i = 0; i <= n; i++) {
      g.drawLine(left, top + i * cell, left + n * cell, top + i * cell);
      g.drawLine(left + i * cell, top, left + i * cell, top + n * cell);
    }
  }

  private void centred(Graphics2D g, String text, int x, int y) {
    FontMetrics metrics = g.getFontMetrics();
    g.drawString(
        text,
        x + (cell - metrics.stringWidth(text)) / 2,
        y + (cell + metrics.getAscent() - metrics.getDescent()) / 2);
  }

  private void drawLabels(Graphics2D g, int left, int top) {
    g.setColor(Color.BLACK);
    g.setFont(labelFont);
    FontMetrics metrics = g.getFontMetrics();
    int middle = (cell + metrics.getAscent() - metrics.getDescent()) / 2;
    for (int i = 0; i < tokens.size(); i++) {
      String token = tokens.get(i);
      g.drawString(token, left - GAP - metrics.stringWidth(token), top + i * cell + middle);
      Picture.upward(g, token, left + i * cell + middle, top - GAP);
    }
    g.setFont(smallFont);
    g.setColor(Color.GRAY);
    int side = cell * tokens.size();
    Picture.upward(g, "this token looks at", MARGIN + 8, Math.max(top + side, top + 120));
    g.drawString("these tokens", left, MARGIN + 48);
  }

  private void drawBar(Graphics2D g, int left, int top, int height, float max) {
    int length = Math.min(height, 300);
    for (int i = 0; i < length; i++) {
      g.setColor(colour(1 - i / (float) (length - 1)));
      g.fillRect(left, top + i, BAR_WIDTH, 1);
    }
    g.setColor(Color.GRAY);
    g.drawRect(left, top, BAR_WIDTH, length);
    g.setFont(smallFont);
    g.setColor(Color.BLACK);
    int ticks = 4;
    for (int i = 0; i <= ticks; i++) {
      String value = String.format(Locale.ROOT, "%.2f", max * (ticks - i) / ticks);
      g.drawString(value, left + BAR_WIDTH + 6, top + i * length / ticks + 5);
    }
    g.drawString("weight", left - 4, top - 10);
  }

  /** The colour of {@code share}, from 0 to 1. */
  static Color colour(float share) {
    float at = Math.clamp(share, 0f, 1f) * (RAMP.length - 1);
    int low = Math.min((int) at, RAMP.length - 2);
    float part = at - low;
    int mixed = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
      int from = RAMP[low] >> shift & 0xFF;
      int to = RAMP[low + 1] >> shift & 0xFF;
      mixed |= Math.round(from + part * (to - from)) << shift;
    }
    return new Color(mixed);
  }
}

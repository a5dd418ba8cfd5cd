package dev.fovea.pictures;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.Arrays;

/**
 * A picture of a training run: the loss of every step and the mean over its neighbours, on a
 * logarithmic axis. Losses beyond 10^-6 or 10^6, and those that are no number, are drawn at an end.
 */
public final class LossPlot {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 480;
  private static final int LEFT = 84;
  private static final int TOP = 60;
  private static final int RIGHT = WIDTH - 28;
  private static final int BOTTOM = HEIGHT - 64;

  private static final Color GRID = new Color(0xE4E4E4);
  private static final Color STEPS = new Color(0xA6CBE3);
  private static final Color MEAN = new Color(0x08306B);

  private static final double LEAST = 1e-6; // what is beyond, or no number, is drawn at an end
  private static final double MOST = 1e6;
  private static final int REACH = 20; // steps on each side that a mean is over

  private final double[] losses;
  private final String title;
  private final int lowest; // powers of ten at the ends of the axis
  private final int highest;

  /**
   * A plot to be drawn.
   *
   * @param losses of the steps, at least one
   * @param title above it
   * @throws IllegalArgumentException if there are no losses
   */
  public LossPlot(double[] losses, String title) {
    if (losses.length == 0) {
      throw new IllegalArgumentException("losses is empty, expected at least one");
    }
    this.losses =
        Arrays.stream(losses)
            .map(loss -> Double.isNaN(loss) ? MOST : Math.clamp(loss, LEAST, MOST))
            .toArray();
    this.title = title;
    lowest = (int) Math.floor(Math.log10(Arrays.stream(this.losses).min().orElseThrow()));
    double most = Arrays.stream(this.losses).max().orElseThrow();
    highest = Math.max(lowest + 1, (int) Math.ceil(Math.log10(most)));
  }

  /**
   * The plot as PNG.
   *
   * @throws IOException if this machine has no fonts
   */
  public byte[] png() throws IOException {
    return Picture.png(this::image);
  }

  /** The plot. */
  public BufferedImage image() {
    return Picture.draw(WIDTH, HEIGHT, this::draw);
  }

  private void draw(Graphics2D g) {
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
    g.drawString(title, LEFT, TOP - 24);
    g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
    drawGrid(g);
    g.setColor(STEPS);
    g.draw(curve(losses));
    g.setColor(MEAN);
    g.setStroke(new BasicStroke(2));
    g.draw(curve(means()));
  }

  private void drawGrid(Graphics2D g) {
    for (int power = lowest; power <= highest; power++) {
      for (int digit = 1; digit <= (power < highest ? 9 : 1); digit++) {
        int y = (int) y(digit * Math.pow(10, power));
        g.setColor(GRID);
        g.drawLine(LEFT, y, RIGHT, y);
      }
      g.setColor(Color.BLACK);
      String label = power < 0 ? "0." + "0".repeat(-power - 1) + "1" : "1" + "0".repeat(power);
      int width = g.getFontMetrics().stringWidth(label);
      g.drawString(label, LEFT - 8 - width, (int) y(Math.pow(10, power)) + 5);
    }
    int ticks = Math.min(5, losses.length);
    for (int i = 0; i <= ticks; i++) {
      String label = String.valueOf(i * losses.length / ticks);
      int x = LEFT + i * (RIGHT - LEFT) / ticks;
      g.setColor(GRID);
      g.drawLine(x, TOP, x, BOTTOM);
      g.setColor(Color.BLACK);
      g.drawString(label, x - g.getFontMetrics().stringWidth(label) / 2, BOTTOM + 20);
    }
    g.drawString("step", (LEFT + RIGHT) / 2 - 14, BOTTOM + 44);
    Picture.upward(g, "cross entropy", 24, (TOP + BOTTOM) / 2 + 44);
  }

  private double[] means() {
    double[] means = new double[losses.length];
    for (int i = 0; i < means.length; i++) {
      // Fewer towards the ends, so that both sides have as many.
      int reach = Math.min(REACH, Math.min(i, means.length - 1 - i));
      means[i] = Arrays.stream(losses, i - reach, i + reach + 1).average().orElseThrow();
    }
    return means;
  }

  private Path2D curve(double[] values) {
    Path2D path = new Path2D.Double();
    path.moveTo(x(0), y(values[0]));
    for (int i = 0; i < values.length; i++) {
      path.lineTo(x(i), y(values[i]));
    }
    return path;
  }

  private double x(int index) {
    return LEFT + (RIGHT - LEFT) * (index + 1.0) / losses.length;
  }

  private double y(double loss) {
    double share = (Math.log10(loss) - lowest) / (highest - lowest);
    return BOTTOM - share * (BOTTOM - TOP);
  }
}

package dev.fovea.pictures;

import dev.fovea.Tensor;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.Objects;

/**
 * Attention over the patches of an image, drawn onto it: the image in grey, the more orange the
 * larger the weight. Between the centres of patches weights are interpolated linearly, beyond the
 * outermost they stay. Not thread-safe.
 */
public final class ImageOverlay {
  /** Pixels that the longer side has at least: each of a smaller image becomes a square of them. */
  static final int LEAST = 448;

  /** Pixels that the longer side has at most: those of a larger image are averaged. */
  static final int MOST = 2048;

  /** Of the largest weight: a colour that nobody takes for grey, and of middle lightness. */
  static final Color TINT = new Color(0xD55E00);

  private static final int MARGIN = 24;
  private static final int TITLE = 40;
  private static final int BAR_FROM_IMAGE = 28;

  private final BufferedImage image;
  private final Grid weights;
  private String title = "";
  private double opacity = 0.8;
  private ColourScale scale; // null: that of the weights

  private ImageOverlay(BufferedImage image, Grid weights) {
    this.image = image;
    this.weights = weights;
  }

  /**
   * A picture of the weights of an image's patches: of a vision transformer {@code
   * weights.select(0, sequence).select(0, head).select(0, 0)}, what its class token looks at,
   * without that token, {@code slice(0, 1, 1 + rows * columns)}, and {@code reshape(rows,
   * columns)}.
   *
   * @param weights [rows, columns] of patches, of a floating type, on any device; they are copied.
   *     Patches are equal parts of the image
   * @throws IllegalArgumentException if weights have another rank or type, there are none, or there
   *     are more patches than pixels in a direction
   */
  public static ImageOverlay of(BufferedImage image, Tensor weights) {
    Objects.requireNonNull(image, "image");
    Grid grid = Grid.of(weights, "rows of patches, columns of patches");
    if (grid.rows() > image.getHeight() || grid.columns() > image.getWidth()) {
      throw new IllegalArgumentException(
          "weights are of %d x %d patches, more than the image has pixels: %d x %d"
              .formatted(grid.rows(), grid.columns(), image.getHeight(), image.getWidth()));
    }
    return new ImageOverlay(image, grid);
  }

  /** What is shown; nothing unless set. */
  public ImageOverlay title(String title) {
    this.title = Objects.requireNonNull(title, "title");
    return this;
  }

  /**
   * How much of the image the largest weight covers, from 0 to 1; 0.8 unless set.
   *
   * @throws IllegalArgumentException if it is another number
   */
  public ImageOverlay opacity(double opacity) {
    if (!(opacity >= 0 && opacity <= 1)) {
      throw new IllegalArgumentException("opacity is " + opacity + ", expected 0 to 1");
    }
    this.opacity = opacity;
    return this;
  }

  /**
   * The weights that cover nothing of the image and the most, as {@link Heatmap#range}.
   *
   * @throws IllegalArgumentException if these are not two finite numbers, the first the smaller
   */
  public ImageOverlay range(double low, double high) {
    scale = ColourScale.between(low, high);
    return this;
  }

  /**
   * The picture as PNG.
   *
   * @throws IOException if this machine has no fonts
   */
  public byte[] png() throws IOException {
    return Picture.png(this::image);
  }

  /** The picture, to be drawn elsewhere: the image without frame begins at (24, 64). */
  public BufferedImage image() {
    int longer = Math.max(image.getWidth(), image.getHeight());
    int larger = Math.max(1, Grid.step(LEAST, longer));
    int smaller = Grid.step(longer, MOST);
    int width = Math.max(1, image.getWidth() * larger / smaller);
    int height = Math.max(1, image.getHeight() * larger / smaller);
    ColourScale colours = scale != null ? scale : ColourScale.of(weights);
    int top = MARGIN + TITLE;
    int bar = MARGIN + width + BAR_FROM_IMAGE;
    int length = Math.clamp(height, 120, 300);
    return Picture.draw(
        bar + ColourScale.BAR_WIDTH + ColourScale.BAR_LABELS,
        top + Math.max(height, length + 30) + MARGIN,
        g -> {
          g.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 18));
          g.drawString(title, MARGIN, MARGIN + 16);
          g.drawImage(blended(width, height, larger, smaller, colours), MARGIN, top, null);
          drawBar(g, colours, bar, top, length);
        });
  }

  private void drawBar(Graphics2D g, ColourScale colours, int left, int top, int length) {
    g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    boolean withNan = false;
    for (float value : weights.values()) {
      withNan |= Float.isNaN(value);
    }
    // Over an image of middle grey.
    colours.drawBar(g, left, top, length, withNan, share -> blend(0x808080, share));
  }

  private BufferedImage blended(
      int width, int height, int larger, int smaller, ColourScale colours) {
    BufferedImage blended = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        float weight =
            at((y + 0.5) / height * weights.rows(), (x + 0.5) / width * weights.columns());
        Color colour =
            Float.isNaN(weight)
                ? ColourScale.nan(x, y)
                : blend(grey(x, y, larger, smaller), colours.share(weight));
        blended.setRGB(x, y, colour.getRGB());
      }
    }
    return blended;
  }

  private Color blend(int grey, float share) {
    return new Color(ColourScale.mix(grey, TINT.getRGB() & 0xFFFFFF, (float) (opacity * share)));
  }

  /** Of a pixel of the picture, the mean of those that it stands for. */
  private int grey(int x, int y, int larger, int smaller) {
    int fromX = x * smaller / larger;
    int fromY = y * smaller / larger;
    int toX = Math.min(image.getWidth(), fromX + smaller);
    int toY = Math.min(image.getHeight(), fromY + smaller);
    double sum = 0;
    for (int i = fromY; i < toY; i++) {
      for (int j = fromX; j < toX; j++) {
        int rgb = image.getRGB(j, i);
        sum += 0.2126 * (rgb >> 16 & 0xFF) + 0.7152 * (rgb >> 8 & 0xFF) + 0.0722 * (rgb & 0xFF);
      }
    }
    int grey = (int) Math.round(sum / ((toX - fromX) * (toY - fromY)));
    return grey << 16 | grey << 8 | grey;
  }

  /**
   * Between the centres of patches, which lie at halves. NaN where the patch itself is; others that
   * are leave no trace beyond their own patch.
   */
  private float at(double row, double column) {
    float own = weights.at((int) row, (int) column);
    if (!Float.isFinite(own)) {
      return own;
    }
    double sum = 0;
    double parts = 0;
    int aboveRow = (int) Math.floor(row - 0.5);
    int leftColumn = (int) Math.floor(column - 0.5);
    for (int i = aboveRow; i <= aboveRow + 1; i++) {
      for (int j = leftColumn; j <= leftColumn + 1; j++) {
        float value =
            weights.at(
                Math.clamp(i, 0, weights.rows() - 1), Math.clamp(j, 0, weights.columns() - 1));
        double part = (1 - Math.abs(row - 0.5 - i)) * (1 - Math.abs(column - 0.5 - j));
        if (Float.isFinite(value)) {
          sum += part * value;
          parts += part;
        }
      }
    }
    return (float) (sum / parts);
  }
}

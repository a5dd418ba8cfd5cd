package dev.fovea.pictures;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.imageio.ImageIO;

/** What pictures share: a white ground with smooth text, and PNG. */
public final class Picture {

  private Picture() {}

  /** A white picture of {@code width} x {@code height} pixels with smooth text, and a drawing. */
  public static BufferedImage draw(int width, int height, Consumer<Graphics2D> drawing) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = image.createGraphics();
    try {
      g.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      g.setColor(Color.WHITE);
      g.fillRect(0, 0, width, height);
      g.setColor(Color.BLACK);
      drawing.accept(g);
    } finally {
      g.dispose();
    }
    return image;
  }

  /** Draws text that runs from bottom to top. */
  public static void upward(Graphics2D g, String text, int x, int y) {
    AffineTransform saved = g.getTransform();
    g.translate(x, y);
    g.rotate(-Math.PI / 2);
    g.drawString(text, 0, 0);
    g.setTransform(saved);
  }

  /**
   * The bytes of {@code picture} as PNG.
   *
   * @throws IOException if this machine has no fonts
   */
  public static byte[] png(Supplier<BufferedImage> picture) throws IOException {
    BufferedImage image;
    try {
      image = picture.get();
    } catch (LinkageError | InternalError | RuntimeException e) {
      throw new IOException(
          "text cannot be drawn here: install the packages fontconfig and fonts-dejavu-core", e);
    }
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    if (!ImageIO.write(image, "png", png)) {
      throw new IOException("this JDK writes no PNG files");
    }
    return png.toByteArray();
  }
}

package dev.fovea.cli.plot;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.imageio.ImageIO;

/** What pictures share. */
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
   * Writes {@code picture} into {@code file} as PNG.
   *
   * @throws IOException if it cannot be written, or this machine has no fonts
   */
  public static void write(Supplier<BufferedImage> picture, Path file) throws IOException {
    BufferedImage image;
    try {
      image = picture.get();
    } catch (LinkageError | InternalError | RuntimeException e) {
      throw new IOException(
          "text cannot be drawn here: install the packages fontconfig and fonts-dejavu-core", e);
    }
    // Not straight into the file: ImageIO prints a stack trace where it cannot open one.
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    if (!ImageIO.write(image, "png", png)) {
      throw new IOException("this JDK writes no PNG files");
    }
    try {
      Files.write(file, png.toByteArray());
    } catch (IOException e) {
      throw new IOException(file + " cannot be written", e);
    }
  }
}

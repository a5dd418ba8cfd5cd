package dev.fovea.pictures;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ImageOverlayTest {
  private static final int LEFT = 24;
  private static final int TOP = 64;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  /** Of one colour. */
  private static BufferedImage plain(int width, int height, Color colour) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    int[] pixels = new int[width * height];
    Arrays.fill(pixels, colour.getRGB());
    image.setRGB(0, 0, width, height, pixels, 0, width);
    return image;
  }

  private Tensor weights(int rows, int columns, float... values) {
    return scope.copyOf(values, rows, columns);
  }

  private static Color at(BufferedImage image, int x, int y) {
    return new Color(image.getRGB(LEFT + x, TOP + y));
  }

  private static Color tinted(int grey, double share) {
    int white = grey << 16 | grey << 8 | grey;
    return new Color(ColourScale.mix(white, ImageOverlay.TINT.getRGB() & 0xFFFFFF, (float) share));
  }

  @Test
  void weightsAreInterpolatedBetweenCentresOfPatches() {
    BufferedImage image = plain(600, 300, new Color(100, 100, 100));
    BufferedImage drawn = ImageOverlay.of(image, weights(1, 2, 0, 1)).opacity(1).image();
    for (int y : new int[] {0, 150, 299}) {
      assertEquals(tinted(100, 0), at(drawn, 0, y));
      assertEquals(tinted(100, 0), at(drawn, 149, y));
      assertEquals(tinted(100, 1), at(drawn, 450, y));
      assertEquals(tinted(100, 1), at(drawn, 599, y));
      for (int x = 151; x < 449; x += 37) {
        double share = (x + 0.5 - 150) / 300; // the centres lie at 150 and 450
        assertEquals(tinted(100, share).getRed(), at(drawn, x, y).getRed(), 1);
        assertEquals(tinted(100, share).getBlue(), at(drawn, x, y).getBlue(), 1);
      }
    }
  }

  @Test
  void theImageIsSeenThroughItsWeights() {
    BufferedImage image = plain(500, 500, Color.RED);
    int grey = (int) Math.round(0.2126 * 255);
    BufferedImage drawn = ImageOverlay.of(image, weights(2, 1, 0, 1)).image();
    assertEquals(tinted(grey, 0), at(drawn, 250, 10));
    assertEquals(tinted(grey, 0.8), at(drawn, 250, 490));
  }

  @Test
  void nanStaysInItsPatch() {
    BufferedImage image = plain(600, 600, Color.GRAY);
    BufferedImage drawn =
        ImageOverlay.of(image, weights(2, 2, Float.NaN, 0.5f, 0.5f, 0.5f)).opacity(1).image();
    for (int x = 0; x < 600; x += 13) {
      for (int y = 0; y < 600; y += 13) {
        boolean nan = x < 300 && y < 300;
        Color expected = nan ? ColourScale.nan(x, y) : tinted(128, 1);
        assertEquals(expected, at(drawn, x, y), x + ", " + y);
      }
    }
  }

  @Test
  void smallImagesGrowAndLargeOnesAreAveraged() {
    BufferedImage small = plain(3, 2, Color.BLACK);
    small.setRGB(2, 1, Color.WHITE.getRGB());
    BufferedImage drawn = ImageOverlay.of(small, weights(1, 1, 0)).image();
    int side = (ImageOverlay.LEAST + 2) / 3;
    assertEquals(Color.WHITE, at(drawn, 2 * side, side));
    assertEquals(Color.WHITE, at(drawn, 3 * side - 1, 2 * side - 1));
    assertEquals(Color.BLACK, at(drawn, 2 * side - 1, side));
    assertEquals(Color.BLACK, at(drawn, 2 * side, side - 1));

    BufferedImage large = plain(2 * ImageOverlay.MOST, 4, Color.BLACK);
    large.setRGB(0, 0, Color.WHITE.getRGB());
    drawn = ImageOverlay.of(large, weights(1, 1, 0)).image();
    assertTrue(drawn.getWidth() < 2 * ImageOverlay.MOST);
    assertEquals(new Color(64, 64, 64), at(drawn, 0, 0)); // one of four
    assertEquals(Color.BLACK, at(drawn, 1, 0));
  }

  @Test
  void refusesWhatItCannotDraw() {
    BufferedImage image = plain(4, 3, Color.BLACK);
    assertEquals(
        "weights are of 4 x 4 patches, more than the image has pixels: 3 x 4",
        refusal(() -> ImageOverlay.of(image, scope.allocate(DType.FLOAT32, 4, 4))));
    assertEquals(
        "weights have shape [9], expected [rows of patches, columns of patches], one or more of"
            + " each",
        refusal(() -> ImageOverlay.of(image, scope.allocate(DType.FLOAT32, 9))));
    ImageOverlay overlay = ImageOverlay.of(image, weights(1, 1, 1));
    assertEquals("opacity is 1.5, expected 0 to 1", refusal(() -> overlay.opacity(1.5)));
    assertEquals("opacity is NaN, expected 0 to 1", refusal(() -> overlay.opacity(Double.NaN)));
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }
}

package dev.fovea.pictures;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeatmapTest {
  private static final int FRAME = Color.GRAY.getRGB();

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor weights(int rows, int columns, float... values) {
    return scope.copyOf(values, rows, columns);
  }

  /**
   * Where cells begin: inside of the frame, whose corner is the first grey with grey below and
   * beside it.
   */
  private static int[] corner(BufferedImage image, int width, int height) {
    for (int y = 0; y + height + 1 < image.getHeight(); y++) {
      for (int x = 0; x + width + 1 < image.getWidth(); x++) {
        boolean frame = true;
        for (int i = 0; frame && i <= width + 1; i++) {
          frame = image.getRGB(x + i, y) == FRAME && image.getRGB(x + i, y + height + 1) == FRAME;
        }
        for (int i = 0; frame && i <= height + 1; i++) {
          frame = image.getRGB(x, y + i) == FRAME && image.getRGB(x + width + 1, y + i) == FRAME;
        }
        if (frame) {
          return new int[] {x + 1, y + 1};
        }
      }
    }
    throw new AssertionError("no frame of %d x %d".formatted(width, height));
  }

  private static Color at(BufferedImage image, int[] corner, int x, int y) {
    return new Color(image.getRGB(corner[0] + x, corner[1] + y));
  }

  @Test
  void cellsHaveTheColoursOfTheirWeights() {
    float[] values = {0, 0.25f, 0.5f, 1, 0.75f, 0.125f};
    BufferedImage image = Heatmap.of(weights(2, 3, values)).title("Head 1").image();
    int cell = 52;
    int[] corner = corner(image, 3 * cell, 2 * cell);
    for (int i = 0; i < 6; i++) {
      int x = i % 3 * cell + 4; // beside the number
      int y = i / 3 * cell + 4;
      assertEquals(ColourScale.colour(values[i]), at(image, corner, x, y), "cell " + i);
    }
    assertEquals(Color.WHITE, ColourScale.colour(0));
    assertEquals(new Color(0x08306B), ColourScale.colour(1));
  }

  /** In grey, for every eye. */
  @Test
  void darkerIsMore() {
    double last = 256;
    for (int i = 0; i <= 100; i++) {
      Color colour = ColourScale.colour(i / 100f);
      double light =
          0.2126 * colour.getRed() + 0.7152 * colour.getGreen() + 0.0722 * colour.getBlue();
      assertTrue(light < last, "share " + i);
      last = light;
    }
  }

  @Test
  void nanHasStripesThatNoWeightHas() {
    BufferedImage image = Heatmap.of(weights(1, 2, Float.NaN, 0.5f)).image();
    int[] corner = corner(image, 2 * 52, 52);
    boolean light = false;
    boolean dark = false;
    for (int y = 0; y < 50; y++) {
      for (int x = 0; x < 50; x++) {
        Color colour = at(image, corner, x, y);
        light |= colour.equals(ColourScale.NAN_LIGHT);
        dark |= colour.equals(ColourScale.NAN_DARK);
        assertTrue(
            colour.equals(ColourScale.NAN_LIGHT) || colour.equals(ColourScale.NAN_DARK),
            colour::toString);
      }
    }
    assertTrue(light && dark);
    // A NaN does not move the scale, nor does an infinity.
    assertEquals(ColourScale.colour(1), at(image, corner, 52 + 4, 4));
    BufferedImage infinite = Heatmap.of(weights(1, 2, Float.POSITIVE_INFINITY, 0.5f)).image();
    assertEquals(ColourScale.colour(1), at(infinite, corner(infinite, 104, 52), 52 + 4, 4));
  }

  @Test
  void ofManyWeightsACellShowsTheLargestOrTheMean() {
    int n = 2001; // three to a cell, 667 cells
    float[] values = new float[n * n];
    values[1000 * n + 400] = 0.9f; // alone in its cell
    for (int i = 6; i < 9; i++) {
      for (int j = 3; j < 6; j++) {
        values[i * n + j] = 0.1f;
      }
    }
    values[0] = Float.NaN;
    Tensor weights = weights(n, n, values);
    BufferedImage most = Heatmap.of(weights).image();
    int[] corner = corner(most, 667, 667);
    assertEquals(ColourScale.colour(1), at(most, corner, 400 / 3, 1000 / 3));
    assertEquals(ColourScale.colour(0.1f / 0.9f), at(most, corner, 1, 2));
    assertEquals(ColourScale.nan(corner[0], corner[1]), at(most, corner, 0, 0));
    assertEquals(Color.WHITE, at(most, corner, 5, 5));
    BufferedImage mean = Heatmap.of(weights).reduction(Reduction.MEAN).image();
    corner = corner(mean, 667, 667);
    assertEquals(ColourScale.colour(1), at(mean, corner, 400 / 3, 1000 / 3)); // 0.9 of 9 is 0.1
    assertEquals(ColourScale.colour(1), at(mean, corner, 1, 2));
    assertEquals(ColourScale.nan(corner[0], corner[1]), at(mean, corner, 0, 0));
    // That it is one or the other is said below.
    assertNotEquals(0, dark(most, corner[1] + 680), "no note");
  }

  /** Dark pixels of the rows from {@code top} on. */
  private static int dark(BufferedImage image, int top) {
    int dark = 0;
    for (int y = top; y < image.getHeight(); y++) {
      for (int x = 0; x < 300; x++) {
        dark += (image.getRGB(x, y) & 0xFF) < 128 ? 1 : 0;
      }
    }
    return dark;
  }

  @Test
  void aRangeIsTheSameForAllPictures() {
    BufferedImage image = Heatmap.of(weights(1, 3, -1, 0.5f, 9)).range(0, 1).image();
    int[] corner = corner(image, 3 * 52, 52);
    assertEquals(ColourScale.colour(0), at(image, corner, 4, 4));
    assertEquals(ColourScale.colour(0.5f), at(image, corner, 52 + 4, 4));
    assertEquals(ColourScale.colour(1), at(image, corner, 104 + 4, 4));
  }

  @Test
  void alignmentHasSourceAboveAndTargetBeside() throws IOException {
    Tensor weights = weights(2, 3, 1, 0, 0, 0, 0, 1);
    List<String> source = List.of("the", "cat", "sat");
    BufferedImage image = Heatmap.alignment(weights, source, List.of("le", "chat")).image();
    int[] corner = corner(image, 3 * 52, 2 * 52);
    assertEquals(ColourScale.colour(1), at(image, corner, 4, 4));
    assertEquals(ColourScale.colour(1), at(image, corner, 104 + 4, 52 + 4));
    assertEquals(ColourScale.colour(0), at(image, corner, 104 + 4, 4));
    assertTrue(ink(image, corner[0] - 40, corner[1] + 52, 40, 52) > 0, "chat beside its row");
    assertTrue(ink(image, corner[0] + 52, corner[1] - 40, 52, 39) > 0, "cat above its column");
    byte[] png = Heatmap.alignment(weights, source, List.of("le", "chat")).png();
    BufferedImage read = ImageIO.read(new ByteArrayInputStream(png));
    assertEquals(image.getWidth(), read.getWidth());
    assertEquals(
        image.getRGB(corner[0] + 4, corner[1] + 4), read.getRGB(corner[0] + 4, corner[1] + 4));
  }

  private static int ink(BufferedImage image, int left, int top, int width, int height) {
    int ink = 0;
    for (int y = top; y < top + height; y++) {
      for (int x = left; x < left + width - 1; x++) {
        ink += (image.getRGB(x, y) & 0xFF) < 100 ? 1 : 0;
      }
    }
    return ink;
  }

  @Test
  void longLabelsAreCut() {
    String label = "x".repeat(5000);
    BufferedImage image =
        Heatmap.of(weights(1, 1, 1)).rowLabels(List.of(label)).columnLabels(List.of(label)).image();
    assertTrue(image.getWidth() < 1000 && image.getHeight() < 1000);
  }

  @Test
  void refusesWhatItCannotDraw() {
    assertEquals(
        "weights have shape [2, 3, 4], expected [queries, keys], one or more of each",
        refusal(() -> Heatmap.of(scope.allocate(DType.FLOAT32, 2, 3, 4))));
    assertEquals(
        "weights have shape [0, 4], expected [queries, keys], one or more of each",
        refusal(() -> Heatmap.of(scope.allocate(DType.FLOAT32, 0, 4))));
    assertThrows(
        IllegalArgumentException.class, () -> Heatmap.of(scope.allocate(DType.INT32, 2, 3)));
    Heatmap heatmap = Heatmap.of(weights(1, 2, 1, 2));
    assertEquals(
        "rowLabels are 3, expected 1 as in weights",
        refusal(() -> heatmap.rowLabels(Collections.nCopies(3, "x"))));
    assertEquals(
        "columnLabels are 1, expected 2 as in weights",
        refusal(() -> heatmap.columnLabels(List.of("x"))));
    for (double[] range : new double[][] {{1, 1}, {2, 1}, {0, Double.NaN}, {0, 1e300}}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> heatmap.range(range[0], range[1]),
          () -> Arrays.toString(range));
    }
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }
}

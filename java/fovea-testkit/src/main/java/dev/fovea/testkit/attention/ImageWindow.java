package dev.fovea.testkit.attention;

import dev.fovea.testkit.Gaussian;

/**
 * A window of two dimensions.
 *
 * @param width pixels of an image row
 * @param rows above and below
 * @param columns on either side
 */
public record ImageWindow(int width, int rows, int columns) {

  /** Of narrow images, in part narrower than a window is; and of wide ones, for whole tiles. */
  static ImageWindow draw(Gaussian random) {
    if (random.chance(0.4)) {
      return new ImageWindow(
          random.among(64, 150, 300, 1000), random.among(0, 1, 2), random.among(40, 80, 100, 130));
    }
    return new ImageWindow(
        random.among(1, 2, 3, 7, 8, 14, 16, 31, 64, 70),
        random.among(0, 0, 1, 2, 3, 10),
        random.among(0, 1, 2, 3, 5, 40));
  }

  /** Whether a position sees key j. */
  boolean sees(long position, int j) {
    long up = Math.floorDiv(position, width) - j / width;
    long left = Math.floorMod(position, width) - j % width;
    return Math.abs(up) <= rows && Math.abs(left) <= columns;
  }
}

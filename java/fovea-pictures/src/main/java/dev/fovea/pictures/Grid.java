package dev.fovea.pictures;

import dev.fovea.Tensor;
import java.util.Arrays;

/** Weights in rows and columns. */
record Grid(int rows, int columns, float[] values) {

  /**
   * Those of a tensor of a floating type, from whatever device.
   *
   * @param layout of the tensor, for people
   */
  static Grid of(Tensor weights, String layout) {
    if (weights.rank() != 2 || weights.elements() == 0) {
      throw new IllegalArgumentException(
          "weights have shape %s, expected [%s], one or more of each"
              .formatted(Arrays.toString(weights.shape()), layout));
    }
    float[] values = weights.toFloatArray();
    return new Grid((int) weights.size(0), (int) weights.size(1), values);
  }

  float at(int row, int column) {
    return values[row * columns + column];
  }

  /** How many weights of a dimension a cell has, so that there are at most {@code most} cells. */
  static int step(int size, int most) {
    return (size + most - 1) / most;
  }

  /** One cell for {@code down} x {@code across} weights; at the ends for what is left. */
  Grid reduced(int down, int across, Reduction reduction) {
    if (down == 1 && across == 1) {
      return this;
    }
    int height = (rows + down - 1) / down;
    int width = (columns + across - 1) / across;
    float[] cells = new float[height * width];
    for (int i = 0; i < height; i++) {
      for (int j = 0; j < width; j++) {
        cells[i * width + j] = cell(i * down, j * across, down, across, reduction);
      }
    }
    return new Grid(height, width, cells);
  }

  private float cell(int row, int column, int down, int across, Reduction reduction) {
    float most = Float.NEGATIVE_INFINITY;
    double sum = 0;
    int count = 0;
    for (int i = row; i < Math.min(rows, row + down); i++) {
      for (int j = column; j < Math.min(columns, column + across); j++) {
        most = Math.max(most, at(i, j)); // of NaN NaN
        sum += at(i, j);
        count++;
      }
    }
    return reduction == Reduction.MAX ? most : (float) (sum / count);
  }
}

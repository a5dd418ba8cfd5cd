package dev.fovea.cli.train;

import java.util.Arrays;

/**
 * Layer normalisation: {@code y = gain (x - mean) / deviation + shift}, row by row (Ba et al.,
 * 2016, arXiv 1607.06450).
 */
final class LayerNorm implements Layer {
  private static final float EPSILON = 1e-5f;

  private final int width;
  private final Parameter gain;
  private final Parameter shift;
  private final Matrix normalised;
  private final Matrix output;
  private final Matrix inputGradient;
  private final float[] inverse; // 1 / deviation of every row
  private final float[] gains;
  private final float[] shifts;
  private final float[] row;
  private final float[] other;

  LayerNorm(Workspace workspace, int width) {
    this.width = width;
    gain = workspace.constant(1, width, 1);
    shift = workspace.constant(1, width, 0);
    normalised = workspace.activations(width);
    output = workspace.activations(width);
    inputGradient = workspace.activations(width);
    inverse = new float[output.rows()];
    gains = new float[width];
    shifts = new float[width];
    row = new float[width];
    other = new float[width];
  }

  @Override
  public Matrix forward(Matrix input) {
    gain.value().get(0, gains);
    shift.value().get(0, shifts);
    for (int r = 0; r < input.rows(); r++) {
      input.get(r, row);
      float mean = sum(row) / width;
      for (int i = 0; i < width; i++) {
        row[i] -= mean;
      }
      inverse[r] = (float) (1 / Math.sqrt(dot(row, row) / width + EPSILON));
      for (int i = 0; i < width; i++) {
        row[i] *= inverse[r];
      }
      normalised.set(r, row);
      for (int i = 0; i < width; i++) {
        row[i] = row[i] * gains[i] + shifts[i];
      }
      output.set(r, row);
    }
    return output;
  }

  @Override
  public Matrix backward(Matrix gradient) {
    parameterGradients(gradient);
    gain.value().get(0, gains);
    for (int r = 0; r < gradient.rows(); r++) {
      gradient.get(r, row);
      normalised.get(r, other);
      for (int i = 0; i < width; i++) {
        row[i] *= gains[i];
      }
      // Mean and deviation depend on x too: a shift or a stretch of the row changes nothing.
      float mean = sum(row) / width;
      float stretch = dot(row, other) / width;
      for (int i = 0; i < width; i++) {
        row[i] = inverse[r] * (row[i] - mean - stretch * other[i]);
      }
      inputGradient.set(r, row);
    }
    return inputGradient;
  }

  private void parameterGradients(Matrix gradient) {
    Arrays.fill(gains, 0);
    Arrays.fill(shifts, 0);
    for (int r = 0; r < gradient.rows(); r++) {
      gradient.get(r, row);
      normalised.get(r, other);
      for (int i = 0; i < width; i++) {
        gains[i] += row[i] * other[i];
        shifts[i] += row[i];
      }
    }
    gain.gradient().set(0, gains);
    shift.gradient().set(0, shifts);
  }

  private static float sum(float[] x) {
    float sum = 0;
    for (float v : x) {
      sum += v;
    }
    return sum;
  }

  private static float dot(float[] x, float[] y) {
    float sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }
}

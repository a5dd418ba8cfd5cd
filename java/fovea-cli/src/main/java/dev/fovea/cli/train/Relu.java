package dev.fovea.cli.train;

/** {@code max(0, x)}. */
final class Relu implements Layer {
  private final Matrix output;
  private final Matrix inputGradient;
  private final float[] row;
  private final float[] other;

  Relu(Workspace workspace, int width) {
    output = workspace.activations(width);
    inputGradient = workspace.activations(width);
    row = new float[width];
    other = new float[width];
  }

  @Override
  public Matrix forward(Matrix input) {
    for (int r = 0; r < input.rows(); r++) {
      input.get(r, row);
      for (int i = 0; i < row.length; i++) {
        row[i] = Math.max(0, row[i]);
      }
      output.set(r, row);
    }
    return output;
  }

  @Override
  public Matrix backward(Matrix gradient) {
    for (int r = 0; r < gradient.rows(); r++) {
      gradient.get(r, row);
      output.get(r, other);
      for (int i = 0; i < row.length; i++) {
        row[i] = other[i] > 0 ? row[i] : 0;
      }
      inputGradient.set(r, row);
    }
    return inputGradient;
  }
}

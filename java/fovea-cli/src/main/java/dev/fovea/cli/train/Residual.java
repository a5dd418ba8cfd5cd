package dev.fovea.cli.train;

import java.util.List;

/** {@code x + f(x)}, where f is some layers: a residual connection. */
final class Residual implements Layer {
  private final Sequence inner;
  private final Matrix output;
  private final Matrix inputGradient;
  private final float[] row;
  private final float[] other;

  Residual(Workspace workspace, int width, Layer... layers) {
    inner = new Sequence(List.of(layers));
    output = workspace.activations(width);
    inputGradient = workspace.activations(width);
    row = new float[width];
    other = new float[width];
  }

  @Override
  public Matrix forward(Matrix input) {
    return sum(input, inner.forward(input), output);
  }

  @Override
  public Matrix backward(Matrix gradient) {
    return sum(gradient, inner.backward(gradient), inputGradient);
  }

  private Matrix sum(Matrix a, Matrix b, Matrix to) {
    for (int r = 0; r < to.rows(); r++) {
      a.get(r, row);
      b.get(r, other);
      for (int i = 0; i < row.length; i++) {
        row[i] += other[i];
      }
      to.set(r, row);
    }
    return to;
  }
}

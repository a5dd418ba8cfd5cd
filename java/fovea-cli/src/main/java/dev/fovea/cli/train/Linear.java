package dev.fovea.cli.train;

import java.util.Arrays;

/** {@code y = x W + b}. */
final class Linear implements Layer {
  private final Parameter weights;
  private final Parameter bias;
  private final Matrix output;
  private final Matrix inputGradient;
  private final float[] row;
  private final float[] sum;
  private Matrix input;

  /** Rows of {@code inputs} to rows of {@code outputs} values. */
  Linear(Workspace workspace, int inputs, int outputs) {
    weights = workspace.normal(inputs, outputs, 1 / Math.sqrt(inputs));
    bias = workspace.constant(1, outputs, 0);
    output = workspace.activations(outputs);
    inputGradient = workspace.activations(inputs);
    row = new float[outputs];
    sum = new float[outputs];
  }

  /** What {@link #forward} returns. */
  Matrix output() {
    return output;
  }

  /** What {@link #backward} returns. */
  Matrix inputGradient() {
    return inputGradient;
  }

  @Override
  public Matrix forward(Matrix x) {
    input = x;
    bias.value().get(0, row);
    for (int r = 0; r < output.rows(); r++) {
      output.set(r, row);
    }
    output.addProduct(x, weights.value());
    return output;
  }

  @Override
  public Matrix backward(Matrix gradient) {
    weights.gradient().transposedProduct(input, gradient);
    Arrays.fill(sum, 0);
    for (int r = 0; r < gradient.rows(); r++) {
      gradient.get(r, row);
      for (int i = 0; i < sum.length; i++) {
        sum[i] += row[i];
      }
    }
    bias.gradient().set(0, sum);
    inputGradient.productTransposed(gradient, weights.value());
    return inputGradient;
  }
}

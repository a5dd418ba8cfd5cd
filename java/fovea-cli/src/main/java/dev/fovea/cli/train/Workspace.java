package dev.fovea.cli.train;

import dev.fovea.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Where the matrices of a model come from; it owns their memory and knows the parameters. */
final class Workspace implements AutoCloseable {
  private final Scope scope = Scope.open();
  private final List<Parameter> parameters = new ArrayList<>();
  private final int tokens;
  private final RandomGenerator random;

  /**
   * An empty one.
   *
   * @param tokens of a batch
   * @param random draws the first values of parameters
   */
  Workspace(int tokens, RandomGenerator random) {
    this.tokens = tokens;
    this.random = random;
  }

  Scope scope() {
    return scope;
  }

  /** A row for each token of a batch. */
  Matrix activations(int columns) {
    return new Matrix(scope, tokens, columns);
  }

  /** A parameter of normally distributed values. */
  Parameter normal(int rows, int columns, double deviation) {
    Parameter parameter = constant(rows, columns, 0);
    float[] row = new float[columns];
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < columns; i++) {
        row[i] = (float) random.nextGaussian(0, deviation);
      }
      parameter.value().set(r, row);
    }
    return parameter;
  }

  /** A parameter of equal values. */
  Parameter constant(int rows, int columns, float value) {
    Matrix values = new Matrix(scope, rows, columns);
    values.view(rows, columns).fill(value);
    Parameter parameter = new Parameter(values, new Matrix(scope, rows, columns));
    parameters.add(parameter);
    return parameter;
  }

  /** All parameters made so far. */
  List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public void close() {
    scope.close();
  }
}

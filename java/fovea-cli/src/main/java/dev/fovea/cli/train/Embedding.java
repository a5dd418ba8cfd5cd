package dev.fovea.cli.train;

/** A row for each token: that of what it is, plus that of where it stands. */
final class Embedding {
  private final int length;
  private final Parameter words;
  private final Parameter positions;
  private final Matrix output;
  private final float[] row;
  private final float[] other;
  private int[] tokens;

  /** For sequences of {@code length} tokens. */
  Embedding(Workspace workspace, int vocabulary, int length, int width) {
    this.length = length;
    words = workspace.normal(vocabulary, width, 1);
    positions = workspace.normal(length, width, 1);
    output = workspace.activations(width);
    row = new float[width];
    other = new float[width];
  }

  /** The rows of {@code tokens}, sequence after sequence. */
  Matrix forward(int[] tokens) {
    this.tokens = tokens;
    for (int r = 0; r < tokens.length; r++) {
      words.value().get(tokens[r], row);
      positions.value().get(r % length, other);
      add(row, other);
      output.set(r, row);
    }
    return output;
  }

  /** Sets the gradients of both tables from that of the rows. */
  void backward(Matrix gradient) {
    words.gradient().clear();
    positions.gradient().clear();
    for (int r = 0; r < tokens.length; r++) {
      gradient.get(r, other);
      accumulate(words.gradient(), tokens[r]);
      accumulate(positions.gradient(), r % length);
    }
  }

  private void accumulate(Matrix table, int at) {
    table.get(at, row);
    add(row, other);
    table.set(at, row);
  }

  private static void add(float[] x, float[] y) {
    for (int i = 0; i < x.length; i++) {
      x[i] += y[i];
    }
  }
}

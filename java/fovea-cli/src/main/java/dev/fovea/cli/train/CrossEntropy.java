package dev.fovea.cli.train;

/** The mean over tokens of {@code -ln p(target)}, where p is the softmax of the token's scores. */
final class CrossEntropy {
  private final Matrix gradient;
  private final int[] best;
  private final float[] row;

  /** For {@code classes} scores of every token. */
  CrossEntropy(Workspace workspace, int classes) {
    gradient = workspace.activations(classes);
    best = new int[gradient.rows()];
    row = new float[classes];
  }

  /** The loss. */
  double forward(Matrix scores, int[] targets) {
    double loss = 0;
    for (int r = 0; r < targets.length; r++) {
      scores.get(r, row);
      best[r] = 0;
      for (int i = 1; i < row.length; i++) {
        best[r] = row[i] > row[best[r]] ? i : best[r];
      }
      float most = row[best[r]];
      float target = row[targets[r]];
      double sum = 0;
      for (int i = 0; i < row.length; i++) {
        row[i] = (float) Math.exp(row[i] - most);
        sum += row[i];
      }
      loss += most - target + Math.log(sum);
      float scale = (float) (1 / (sum * targets.length));
      for (int i = 0; i < row.length; i++) {
        row[i] *= scale;
      }
      row[targets[r]] -= 1f / targets.length;
      gradient.set(r, row);
    }
    return loss / targets.length;
  }

  /** The class of each token with the highest of the last scores. */
  int[] best() {
    return best;
  }

  /** The gradient of the last loss in the scores. */
  Matrix gradient() {
    return gradient;
  }
}

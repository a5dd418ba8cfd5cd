package dev.fovea.cli;

import java.util.Map;

/** Distance attention in double; of {@link PlainAttention} its masks and lengths. */
final class PlainDistance extends PlainAttention {

  final double[] bandwidth;
  double ridge; // of a linear fit; 0: a constant one

  /** Random operands that are exact in bfloat16, a bandwidth of at least 1 for each head. */
  PlainDistance(int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    super(batch, queries, keys, heads, keyHeads, dim, valueDim);
    bandwidth = values(heads);
    for (int h = 0; h < heads; h++) {
      bandwidth[h] = 1 + Math.abs(bandwidth[h]);
    }
  }

  @Override
  double score(int b, int h, int i, int j, int distance) {
    double sum = 0;
    for (int d = 0; d < dim; d++) {
      double difference = query(b, h, i, d) - key(b, h, j, d);
      sum += difference * difference;
    }
    return -sum / (2 * bandwidth[h] * bandwidth[h]);
  }

  /**
   * Those of the plane with the least squares: of weights W, rows X = (1, key - query) and R, which
   * has the ridge for all but the constant, the first row of (X^T W X + R)^-1 X^T W.
   */
  @Override
  double[] factors(int b, int h, int i, double[] weights) {
    if (ridge == 0) {
      return weights;
    }
    double[][] normal = new double[dim + 1][dim + 2]; // and the first column of one
    normal[0][dim + 1] = 1;
    for (int r = 0; r <= dim; r++) {
      normal[r][r] = r == 0 ? 0 : ridge * bandwidth[h] * bandwidth[h];
      for (int c = 0; c <= dim; c++) {
        for (int j = 0; j < keys; j++) {
          normal[r][c] += weights[j] * column(b, h, i, j, r) * column(b, h, i, j, c);
        }
      }
    }
    double[] solution = solve(normal);
    double[] factors = new double[keys];
    for (int j = 0; j < keys; j++) {
      for (int c = 0; c <= dim && weights[j] != 0; c++) {
        factors[j] += weights[j] * solution[c] * column(b, h, i, j, c);
      }
    }
    return factors;
  }

  private double column(int b, int h, int i, int j, int c) {
    return c == 0 ? 1 : key(b, h, j, c - 1) - query(b, h, i, c - 1);
  }

  /** Gauss and Jordan; the last column is the right side, whose place the solution takes. */
  private static double[] solve(double[][] rows) {
    int n = rows.length;
    for (int p = 0; p < n; p++) {
      for (int r = 0; r < n; r++) {
        double factor = r == p ? 0 : rows[r][p] / rows[p][p];
        for (int c = p; c <= n && factor != 0; c++) {
          rows[r][c] -= factor * rows[p][c];
        }
      }
    }
    double[] solution = new double[n];
    for (int r = 0; r < n; r++) {
      solution[r] = rows[r][n] / rows[r][r];
    }
    return solution;
  }

  @Override
  String operation() {
    return "distance";
  }

  @Override
  Map<String, double[]> operands() {
    Map<String, double[]> operands = super.operands();
    operands.put("bandwidth", bandwidth);
    return operands;
  }
}

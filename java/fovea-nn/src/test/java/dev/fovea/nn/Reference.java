package dev.fovea.nn;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/** What layers compute, in float64 and as plainly as it can be said. */
final class Reference {
  private Reference() {}

  /** Rows times the transpose of [out, in], and a bias or null. */
  static double[] linear(double[] x, double[] weight, double[] bias, int in, int out) {
    int rows = x.length / in;
    double[] y = new double[rows * out];
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < out; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < in; i++) {
          sum += x[r * in + i] * weight[o * in + i];
        }
        y[r * out + o] = sum;
      }
    }
    return y;
  }

  /** Columns {@code from} to {@code from + count} of rows of {@code width}. */
  static double[] columns(double[] x, int width, int from, int count) {
    int rows = x.length / width;
    double[] y = new double[rows * count];
    for (int r = 0; r < rows; r++) {
      System.arraycopy(x, r * width + from, y, r * count, count);
    }
    return y;
  }

  static double[] add(double[] a, double[] b) {
    double[] sum = a.clone();
    Arrays.setAll(sum, i -> a[i] + b[i]);
    return sum;
  }

  static double[] map(double[] x, DoubleUnaryOperator f) {
    return Arrays.stream(x).map(f).toArray();
  }

  /**
   * Attention [B, S, H, D] with scale 1/sqrt(D); query positions at the end of those of the keys.
   */
  static double[] attention(
      double[] q,
      double[] k,
      double[] v,
      int batch,
      int heads,
      int keyHeads,
      int dim,
      boolean causal) {
    int queries = q.length / (batch * heads * dim);
    int keys = k.length / (batch * keyHeads * dim);
    double[] out = new double[q.length];
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < heads; h++) {
        int kh = h / (heads / keyHeads);
        for (int i = 0; i < queries; i++) {
          double[] p = new double[keys];
          double sum = 0;
          for (int j = 0; j < keys; j++) {
            double s = 0;
            for (int d = 0; d < dim; d++) {
              s +=
                  q[((b * queries + i) * heads + h) * dim + d]
                      * k[((b * keys + j) * keyHeads + kh) * dim + d];
            }
            p[j] = causal && j > i + keys - queries ? 0 : Math.exp(s / Math.sqrt(dim));
            sum += p[j];
          }
          for (int j = 0; j < keys; j++) {
            for (int d = 0; d < dim; d++) {
              out[((b * queries + i) * heads + h) * dim + d] +=
                  p[j] / sum * v[((b * keys + j) * keyHeads + kh) * dim + d];
            }
          }
        }
      }
    }
    return out;
  }
}

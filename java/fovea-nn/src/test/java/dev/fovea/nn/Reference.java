package dev.fovea.nn;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntUnaryOperator;

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

  /** What is added to a score, perhaps minus infinity. */
  @FunctionalInterface
  interface Bias {
    double of(int batch, int head, int query, int key);

    /** None: every query sees every key. */
    static Bias none() {
      return (b, h, i, j) -> 0;
    }

    /** Query positions at the end of those of the keys. */
    static Bias causal(int queries, int keys) {
      return (b, h, i, j) -> j > i + keys - queries ? Double.NEGATIVE_INFINITY : 0;
    }

    /** Keys behind the length of a sequence are not seen. */
    static Bias lengths(int... lengths) {
      return (b, h, i, j) -> j < lengths[b] ? 0 : Double.NEGATIVE_INFINITY;
    }
  }

  /** Attention [B, S, H, D] with scale 1/sqrt(D). */
  static double[] attention(
      double[] q, double[] k, double[] v, int batch, int heads, int keyHeads, int dim, Bias bias) {
    int queries = q.length / (batch * heads * dim);
    int keys = k.length / (batch * keyHeads * dim);
    return attention(
        (b, h, i, j) -> {
          double score = 0;
          for (int d = 0; d < dim; d++) {
            score +=
                q[((b * queries + i) * heads + h) * dim + d]
                    * k[((b * keys + j) * keyHeads + h / (heads / keyHeads)) * dim + d];
          }
          return score / Math.sqrt(dim) + bias.of(b, h, i, j);
        },
        v,
        batch,
        queries,
        heads,
        keyHeads,
        dim);
  }

  /** Likewise of scores that are there. */
  static double[] attention(
      Bias scores, double[] v, int batch, int queries, int heads, int keyHeads, int dim) {
    int keys = v.length / (batch * keyHeads * dim);
    double[] out = new double[batch * queries * heads * dim];
    double[] p = new double[keys];
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < queries; i++) {
          double sum = 0;
          for (int j = 0; j < keys; j++) {
            p[j] = Math.exp(scores.of(b, h, i, j));
            sum += p[j];
          }
          for (int j = 0; j < keys && sum > 0; j++) { // a query that sees no key has zeros
            for (int d = 0; d < dim; d++) {
              out[((b * queries + i) * heads + h) * dim + d] +=
                  p[j] / sum * v[((b * keys + j) * keyHeads + h / (heads / keyHeads)) * dim + d];
            }
          }
        }
      }
    }
    return out;
  }

  /** Without a bias, or causal. */
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
    Bias bias = causal ? Bias.causal(queries, keys) : Bias.none();
    return attention(q, k, v, batch, heads, keyHeads, dim, bias);
  }

  /** Rows by their mean and variance, or without a mean; a weight, and a bias or null. */
  static double[] normalize(double[] x, double[] weight, double[] bias, boolean centered) {
    int width = weight.length;
    double[] y = new double[x.length];
    for (int r = 0; r < x.length; r += width) {
      double mean = centered ? Arrays.stream(x, r, r + width).average().orElseThrow() : 0;
      double squares = 0;
      for (int d = 0; d < width; d++) {
        squares += (x[r + d] - mean) * (x[r + d] - mean);
      }
      double root = Math.sqrt(squares / width + (float) Norm.EPSILON);
      for (int d = 0; d < width; d++) {
        y[r + d] = (x[r + d] - mean) / root * weight[d] + (bias == null ? 0 : bias[d]);
      }
    }
    return y;
  }

  /**
   * Rows of {@code dim} elements, {@code heads} of each position, turned: elements c and c + C by
   * the position times base^(-c / C), C being half of {@code rotaryDim}.
   */
  static double[] rotate(
      double[] x, int heads, int dim, int rotaryDim, double base, IntUnaryOperator position) {
    double[] y = x.clone();
    int pairs = rotaryDim / 2;
    for (int r = 0; r < x.length / dim; r++) {
      for (int c = 0; c < pairs; c++) {
        double angle = position.applyAsInt(r / heads) * Math.pow(base, -(double) c / pairs);
        double a = x[r * dim + c];
        double b = x[r * dim + c + pairs];
        y[r * dim + c] = a * Math.cos(angle) - b * Math.sin(angle);
        y[r * dim + c + pairs] = a * Math.sin(angle) + b * Math.cos(angle);
      }
    }
    return y;
  }

  /** {@code x Phi(x)}. */
  static double gelu(double x) {
    return x * (1 + erf(x / Math.sqrt(2))) / 2;
  }

  /** By the series whose terms are all of one sign (Abramowitz and Stegun, 7.1.6). */
  private static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x);
    }
    double term = 2 / Math.sqrt(Math.PI) * x * Math.exp(-x * x);
    double sum = 0;
    for (int n = 1; Math.abs(term) > 1e-18; n++) {
      sum += term;
      term *= 2 * x * x / (2 * n + 1);
    }
    return sum;
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double silu(double x) {
    return x * sigmoid(x);
  }
}

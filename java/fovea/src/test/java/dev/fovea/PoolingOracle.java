package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * Attention pooling in float64 by its formula, with bounds on what float32 may differ by: every
 * quantity carries its value and the largest error that rounding may have put into it.
 */
final class PoolingOracle {
  static final double U = 0x1p-24;

  final int heads;
  final int dim;
  final int valueDim;
  final double scale; // of a product
  final boolean additive;

  float[] query; // [H, D]
  float[] key; // [rows, Hk, D]
  float[] value; // [rows, Hk, Dv]
  float[] weight; // [H, D]; additive
  float[] bias; // likewise
  int keyHeads;

  PoolingOracle(int heads, int dim, int valueDim, double scale, boolean additive) {
    this.heads = heads;
    this.dim = dim;
    this.valueDim = valueDim;
    this.scale = scale;
    this.additive = additive;
  }

  /** Of sums over sequences. */
  static final class Sums {
    final double[] value;
    final double[] error;

    Sums(int count) {
      value = new double[count];
      error = new double[count];
    }

    void add(int at, double term, double off) {
      value[at] += term;
      error[at] += off + 96 * U * Math.abs(term); // in any order, at most four sequences of 20
    }

    void check(String name, float[] actual) {
      assertTrue(actual.length == value.length, name);
      for (int i = 0; i < value.length; i++) {
        double bound = error[i] + 2 * U * Math.abs(value[i]) + Float.MIN_NORMAL;
        assertTrue(
            Math.abs(actual[i] - value[i]) <= bound,
            "%s[%d] is %s, expected %s within %s".formatted(name, i, actual[i], value[i], bound));
      }
    }
  }

  Sums out;
  Sums lse;
  Sums weights;
  Sums dquery;
  Sums dkey;
  Sums dvalue;
  Sums dweight;
  Sums dbias;

  /** Room for {@code sequences} over {@code rows} of key and value, weights of {@code width}. */
  void allocate(int sequences, int rows, int width) {
    out = new Sums(sequences * heads * valueDim);
    lse = new Sums(sequences * heads);
    weights = new Sums(sequences * heads * width);
    dquery = new Sums(heads * dim);
    dweight = new Sums(heads * dim);
    dbias = new Sums(heads * dim);
    dkey = new Sums(rows * keyHeads * dim);
    dvalue = new Sums(rows * keyHeads * valueDim);
  }

  /** One sequence, of {@code count} rows from {@code first} on, with the gradient of its out. */
  void sequence(int index, int first, int count, int width, float[] dout) {
    for (int h = 0; h < heads; h++) {
      head(index, h, first, count, width, dout);
    }
  }

  private void head(int index, int h, int first, int count, int width, float[] dout) {
    int g = h / (heads / keyHeads);
    double[] x = new double[count];
    double off = 0; // the largest error of a score
    double most = Double.NEGATIVE_INFINITY;
    double size = 0;
    for (int j = 0; j < count; j++) {
      double sum = 0;
      double magnitude = 0;
      double inner = 0;
      for (int a = 0; a < dim; a++) {
        double q = query[h * dim + a];
        double k = key[((first + j) * keyHeads + g) * dim + a];
        double term = additive ? weight[h * dim + a] * tanh(h, a, q, k) : scale * q * k;
        sum += term;
        magnitude += Math.abs(term);
        inner += additive ? Math.abs(weight[h * dim + a]) * tanhError(h, a, q, k) : 0;
      }
      x[j] = sum;
      most = Math.max(most, sum);
      size = Math.max(size, Math.abs(sum));
      off = Math.max(off, (dim + 4) * U * magnitude + inner + 4 * U);
    }
    if (count == 0) {
      lse.value[index * heads + h] = Double.NEGATIVE_INFINITY;
      return;
    }
    double total = 0;
    for (double score : x) {
      total += Math.exp(score - most);
    }
    double log = most + Math.log(total);
    lse.add(index * heads + h, log, off + (count + 16) * U + 4 * U * size);
    // Of a weight, relative.
    double relative = 1.25 * (2 * off + 4 * U * (size + Math.abs(log)) + (count + 16) * U);
    double delta = 0;
    double deltaSize = 0;
    double[] products = new double[count];
    double[] sizes = new double[count];
    for (int j = 0; j < count; j++) {
      double p = Math.exp(x[j] - log);
      weights.add((index * heads + h) * width + j, p, relative * p);
      for (int c = 0; c < valueDim; c++) {
        int at = (index * heads + h) * valueDim + c;
        double v = value[((first + j) * keyHeads + g) * valueDim + c];
        out.add(at, p * v, (relative + count * U) * p * Math.abs(v));
        products[j] += dout[at] * v;
        sizes[j] += Math.abs(dout[at] * v);
        dvalue.add(
            ((first + j) * keyHeads + g) * valueDim + c,
            p * dout[at],
            relative * p * Math.abs(dout[at]));
      }
      delta += p * products[j];
      deltaSize += p * sizes[j];
    }
    for (int j = 0; j < count; j++) {
      double p = Math.exp(x[j] - log);
      double ds = p * (products[j] - delta);
      double dsOff =
          p * (sizes[j] + deltaSize) * (2 * relative + (2 * valueDim + 2 * count + 8) * U);
      for (int a = 0; a < dim; a++) {
        int at = h * dim + a;
        int keyAt = ((first + j) * keyHeads + g) * dim + a;
        double q = query[at];
        double k = key[keyAt];
        if (additive) {
          double t = tanh(h, a, q, k);
          double w = weight[at];
          double slope = 1 - t * t;
          double u = ds * w * slope;
          double uOff =
              Math.abs(w) * (dsOff * slope + Math.abs(ds) * (2 * tanhError(h, a, q, k) + 4 * U));
          dquery.add(at, u, uOff);
          dbias.add(at, u, uOff);
          dkey.add(keyAt, u, uOff);
          dweight.add(at, ds * t, dsOff + Math.abs(ds) * tanhError(h, a, q, k));
        } else {
          dquery.add(at, scale * ds * k, Math.abs(scale * k) * dsOff);
          dkey.add(keyAt, scale * ds * q, Math.abs(scale * q) * dsOff);
        }
      }
    }
  }

  private double tanh(int h, int a, double q, double k) {
    return Math.tanh(q + k + bias[h * dim + a]);
  }

  /** Two roundings of its argument, and a few of its own. */
  private double tanhError(int h, int a, double q, double k) {
    return 2 * U * (Math.abs(q) + Math.abs(k) + Math.abs(bias[h * dim + a])) + 8 * U;
  }
}

package dev.fovea.cli;

import java.util.Random;

/**
 * Attention in double, written down as plainly as it is defined, and the gradients of {@code <dout,
 * out>} by differences: nothing here knows the formulas of a backward pass.
 */
final class PlainAttention {
  private static final double STEP = 1e-3;

  final int batch;
  final int queries;
  final int keys;
  final int heads;
  final int keyHeads;
  final int dim;
  final int valueDim;
  final double[] query;
  final double[] key;
  final double[] value;
  final double[] dout;
  double[] bias; // null: none
  long[] biasShape;
  double[] slopes; // null: none
  boolean slopesPerBatch;
  double[] sinks; // null: none
  int[] queryLengths; // null: full
  int[] keyLengths; // null: full
  boolean causal;
  boolean topLeft;
  long left = Long.MAX_VALUE;
  long right = Long.MAX_VALUE;
  double softcap;
  double scale;

  private final Random random = new Random(11);

  /** Random operands that are exact in bfloat16. */
  PlainAttention(int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    this.batch = batch;
    this.queries = queries;
    this.keys = keys;
    this.heads = heads;
    this.keyHeads = keyHeads;
    this.dim = dim;
    this.valueDim = valueDim;
    scale = 1 / Math.sqrt(dim);
    query = values(batch * queries * heads * dim);
    key = values(batch * keys * keyHeads * dim);
    value = values(batch * keys * keyHeads * valueDim);
    dout = values(batch * queries * heads * valueDim);
  }

  /** Random values with seven bits. */
  double[] values(int count) {
    return random.ints(count, -128, 129).mapToDouble(i -> i / 64.0).toArray();
  }

  PlainAttention withBias(long... shape) {
    biasShape = shape;
    bias = values((int) (shape[0] * shape[1] * shape[2] * shape[3]));
    return this;
  }

  /** The gradient of {@link #loss} in one of the operands, to about ten digits. */
  double[] gradient(double[] operand) {
    double[] gradient = new double[operand.length];
    for (int i = 0; i < gradient.length; i++) {
      double at = operand[i];
      double near = difference(operand, i, at, STEP);
      double far = difference(operand, i, at, 2 * STEP);
      operand[i] = at;
      gradient[i] = (4 * near - far) / 3; // without the term in the square of the step
    }
    return gradient;
  }

  private double difference(double[] operand, int i, double at, double step) {
    operand[i] = at + step;
    double above = loss();
    operand[i] = at - step;
    return (above - loss()) / (2 * step);
  }

  /** {@code <dout, out>}. */
  double loss() {
    double loss = 0;
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < heads; h++) {
        // Where there are no queries, lengths are not read.
        int rows = queries == 0 || queryLengths == null ? queries : queryLengths[b];
        for (int i = 0; i < rows; i++) {
          loss += row(b, h, i);
        }
      }
    }
    return loss;
  }

  private double row(int b, int h, int i) {
    int lengthQ = queryLengths == null ? queries : queryLengths[b];
    int lengthK = keyLengths == null ? keys : keyLengths[b];
    int position = topLeft ? i : i + lengthK - lengthQ;
    int kv = h / (heads / keyHeads);
    double sum = sinks == null ? 0 : Math.exp(sinks[h]);
    double result = 0;
    for (int j = 0; j < lengthK; j++) {
      int distance = j - position;
      if (causal && distance > 0 || -distance > left || distance > right) {
        continue;
      }
      double x = 0;
      for (int d = 0; d < dim; d++) {
        x += query[((b * queries + i) * heads + h) * dim + d] * key[keyRow(b, j, kv) * dim + d];
      }
      x *= scale;
      x = softcap > 0 ? softcap * Math.tanh(x / softcap) : x;
      x += bias == null ? 0 : bias[biasIndex(b, h, i, j)];
      if (slopes != null) {
        double slope = slopes[slopesPerBatch ? b * heads + h : h];
        x += causal ? slope * distance : -slope * Math.abs(distance);
      }
      double weight = Math.exp(x);
      sum += weight;
      for (int d = 0; d < valueDim; d++) {
        result +=
            weight
                * value[keyRow(b, j, kv) * valueDim + d]
                * dout[((b * queries + i) * heads + h) * valueDim + d];
      }
    }
    return sum == 0 ? 0 : result / sum;
  }

  private int keyRow(int b, int j, int kv) {
    return (b * keys + j) * keyHeads + kv;
  }

  private int biasIndex(int b, int h, int i, int j) {
    long at = biasShape[0] == 1 ? 0 : b;
    at = at * biasShape[1] + (biasShape[1] == 1 ? 0 : h);
    at = at * biasShape[2] + (biasShape[2] == 1 ? 0 : i);
    return (int) (at * keys + j);
  }
}

package dev.fovea.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/**
 * Attention in double, written down as plainly as it is defined, and the gradients of {@code <dout,
 * out>} by differences: nothing here knows the formulas of a backward pass.
 */
class PlainAttention {
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
  long[] slopesShape; // [B or 1, Hq or 1] or [Hq or 1]
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

  private double[] tensor(long... shape) {
    return values((int) Arrays.stream(shape).reduce(1, (a, b) -> a * b));
  }

  PlainAttention withBias(long... shape) {
    biasShape = shape;
    bias = tensor(shape);
    return this;
  }

  PlainAttention withSlopes(long... shape) {
    slopesShape = shape;
    slopes = tensor(shape);
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
    double[] terms = terms(b, h, i);
    double[] factors = factors(b, h, i, weights(terms, sum(h, terms)));
    double result = 0;
    int at = queryRow(b, h, i) * valueDim;
    for (int j = 0; j < keys; j++) {
      int from = keyRow(b, h, j) * valueDim;
      for (int d = 0; d < valueDim; d++) {
        result += factors[j] * value[from + d] * dout[at + d];
      }
    }
    return result;
  }

  /**
   * The results of a forward pass; NaN where they are of padding.
   *
   * @param out [B, Sq, Hq, Dv]
   * @param lse [B, Hq, Sq]
   * @param weights [B, Hq, Sq, Sk]
   */
  record Results(double[] out, double[] lse, double[] weights) {}

  /** What a forward pass gives. */
  Results results() {
    int rows = batch * heads * queries;
    Results all =
        new Results(new double[rows * valueDim], new double[rows], new double[rows * keys]);
    Arrays.fill(all.out, Double.NaN);
    Arrays.fill(all.lse, Double.NaN);
    Arrays.fill(all.weights, Double.NaN);
    for (int row = 0; row < rows; row++) {
      int i = row % queries;
      int h = row / queries % heads;
      int b = row / queries / heads;
      if (queryLengths == null || i < queryLengths[b]) {
        put(all, b, h, i, row);
      }
    }
    return all;
  }

  private void put(Results all, int b, int h, int i, int row) {
    double[] terms = terms(b, h, i);
    double sum = sum(h, terms);
    double[] weights = weights(terms, sum);
    double[] factors = factors(b, h, i, weights);
    int out = queryRow(b, h, i) * valueDim;
    Arrays.fill(all.out, out, out + valueDim, 0);
    for (int j = 0; j < keys; j++) {
      all.weights[row * keys + j] = weights[j];
      for (int d = 0; d < valueDim; d++) {
        all.out[out + d] += factors[j] * value(b, h, j, d);
      }
    }
    all.lse[row] = Math.log(sum);
  }

  private static double[] weights(double[] terms, double sum) {
    double[] weights = new double[terms.length];
    for (int j = 0; j < terms.length; j++) {
      weights[j] = sum == 0 ? 0 : terms[j] / sum;
    }
    return weights;
  }

  /** What the values of a query's keys are multiplied by, given their weights. */
  double[] factors(int b, int h, int i, double[] weights) {
    return weights;
  }

  /** The exponentials of a query's scores: of keys that it does not see 0. */
  private double[] terms(int b, int h, int i) {
    int lengthQ = queryLengths == null ? queries : queryLengths[b];
    int lengthK = keyLengths == null ? keys : keyLengths[b];
    int position = topLeft ? i : i + lengthK - lengthQ;
    double[] terms = new double[keys];
    for (int j = 0; j < lengthK; j++) {
      int distance = j - position;
      boolean seen = !(causal && distance > 0) && -distance <= left && distance <= right;
      terms[j] = seen ? Math.exp(score(b, h, i, j, distance)) : 0;
    }
    return terms;
  }

  private double sum(int h, double[] terms) {
    double sum = sinks == null ? 0 : Math.exp(sinks[h]);
    for (double term : terms) {
      sum += term;
    }
    return sum;
  }

  /** How well a key fits a query, {@code distance} to its right. */
  double score(int b, int h, int i, int j, int distance) {
    double x = scale * product(b, h, i, j, distance);
    x = softcap > 0 ? softcap * Math.tanh(x / softcap) : x;
    x += bias == null ? 0 : bias[biasIndex(b, h, i, j)];
    if (slopes != null) {
      double slope = slopes[slopesIndex(b, h)];
      x += causal ? slope * distance : -slope * Math.abs(distance);
    }
    return x;
  }

  /** What is scaled: {@code <q_i, k_j>}. */
  double product(int b, int h, int i, int j, int distance) {
    double x = 0;
    for (int d = 0; d < dim; d++) {
      x += query(b, h, i, d) * key(b, h, j, d);
    }
    return x;
  }

  final double query(int b, int h, int i, int d) {
    return query[queryRow(b, h, i) * dim + d];
  }

  final double key(int b, int h, int j, int d) {
    return key[keyRow(b, h, j) * dim + d];
  }

  private double value(int b, int h, int j, int d) {
    return value[keyRow(b, h, j) * valueDim + d];
  }

  private int queryRow(int b, int h, int i) {
    return (b * queries + i) * heads + h;
  }

  private int keyRow(int b, int h, int j) {
    return (b * keys + j) * keyHeads + h / (heads / keyHeads);
  }

  private int biasIndex(int b, int h, int i, int j) {
    long at = biasShape[0] == 1 ? 0 : b;
    at = at * biasShape[1] + (biasShape[1] == 1 ? 0 : h);
    at = at * biasShape[2] + (biasShape[2] == 1 ? 0 : i);
    return (int) (at * keys + j);
  }

  private int slopesIndex(int b, int h) {
    int last = slopesShape.length - 1;
    int head = slopesShape[last] == 1 ? 0 : h;
    return last == 0 || slopesShape[0] == 1 ? head : (int) (b * slopesShape[last] + head);
  }

  /** As {@code --op} has it. */
  String operation() {
    return "attention";
  }

  /** What has a gradient, by the names of options. */
  Map<String, double[]> operands() {
    Map<String, double[]> operands = new LinkedHashMap<>();
    operands.put("query", query);
    operands.put("key", key);
    operands.put("value", value);
    operands.put("bias", bias);
    operands.put("alibi-slopes", slopes);
    operands.put("sinks", sinks);
    operands.values().removeIf(values -> values == null);
    return operands;
  }

  /** Of an operand, or of dout. */
  long[] shape(String operand) {
    return switch (operand) {
      case "query" -> new long[] {batch, queries, heads, dim};
      case "key" -> new long[] {batch, keys, keyHeads, dim};
      case "value" -> new long[] {batch, keys, keyHeads, valueDim};
      case "dout" -> new long[] {batch, queries, heads, valueDim};
      case "bias" -> biasShape;
      case "alibi-slopes" -> slopesShape;
      default -> new long[] {heads};
    };
  }
}

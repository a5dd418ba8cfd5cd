package dev.fovea;

import java.util.Arrays;
import java.util.Random;

/**
 * Random operands of a {@link LowRankCall}, where NaN is what nobody may read; what comes of them
 * in float64, with bounds on what float32 may differ by.
 */
final class LowRankCase {
  static final double U = 0x1p-24;

  private final Scope scope;
  final Random random;
  final int batch;
  final int queries;
  final int keys;
  final int rank;
  final int keyHeads;
  final int heads;
  final int dim;
  final int valueDim;
  final boolean shared; // by heads
  final int[] lengths;
  final float[] query;
  final float[] key;
  final float[] value;
  final float[] keyProjection;
  final float[] valueProjection;
  final float[] dout;

  LowRankCase(Scope scope, long seed) {
    this.scope = scope;
    random = new Random(seed);
    batch = 1 + random.nextInt(3);
    queries = 1 + random.nextInt(9);
    keys = 1 + random.nextInt(40);
    rank = 1 + random.nextInt(12);
    keyHeads = 1 + random.nextInt(3);
    heads = keyHeads * (1 + random.nextInt(2));
    dim = 1 + random.nextInt(20);
    valueDim = 1 + random.nextInt(20);
    shared = random.nextBoolean();
    lengths = random.ints(batch, 1, keys + 1).toArray();
    query = floats(batch * queries * heads * dim, 1);
    key = padded(dim);
    value = padded(valueDim);
    double scale = 1 / Math.sqrt(keys);
    keyProjection = floats((shared ? 1 : keyHeads) * rank * keys, scale);
    valueProjection = floats((shared ? 1 : keyHeads) * rank * keys, scale);
    dout = floats(batch * queries * heads * valueDim, 1);
  }

  private float[] floats(int count, double scale) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    return values;
  }

  private float[] padded(int columns) {
    int row = keyHeads * columns;
    float[] values = floats(batch * keys * row, 1);
    for (int b = 0; b < batch; b++) {
      Arrays.fill(values, (b * keys + lengths[b]) * row, (b + 1) * keys * row, Float.NaN);
    }
    return values;
  }

  Tensor query() {
    return scope.copyOf(query, batch, queries, heads, dim);
  }

  Tensor key() {
    return scope.copyOf(key, batch, keys, keyHeads, dim);
  }

  Tensor value() {
    return scope.copyOf(value, batch, keys, keyHeads, valueDim);
  }

  Tensor projection(float[] values) {
    return shared ? scope.copyOf(values, rank, keys) : scope.copyOf(values, keyHeads, rank, keys);
  }

  Tensor lengths() {
    return scope.copyOf(lengths, batch);
  }

  Tensor dout() {
    return scope.copyOf(dout, batch, queries, heads, valueDim);
  }

  LowRankCall call() {
    return LowRankAttention.create()
        .call(query(), key(), value(), projection(keyProjection), projection(valueProjection))
        .keyLengths(lengths());
  }

  /** A projection in float64, with the error that float32 may make. */
  double[][] project(int b, int h, float[] x, int columns, float[] weight, double[][] error) {
    double[][] projected = new double[rank][columns];
    for (int r = 0; r < rank; r++) {
      for (int d = 0; d < columns; d++) {
        for (int j = 0; j < lengths[b]; j++) {
          double w = weight[((shared ? 0 : h) * rank + r) * keys + j];
          double term = w * x[((b * keys + j) * keyHeads + h) * columns + d];
          projected[r][d] += term;
          error[r][d] += Math.abs(term);
        }
        error[r][d] *= (keys + 2) * U;
      }
    }
    return projected;
  }

  /** sum_i dout_i out_i in float64; {@code allowed}, if there, gets what each out may be off by. */
  double loss(double[] out, double[] allowed) {
    double loss = 0;
    double scale = 1 / Math.sqrt(dim);
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < heads; h++) {
        int kv = h / (heads / keyHeads);
        double[][] keyError = new double[rank][dim];
        double[][] valueError = new double[rank][valueDim];
        double[][] k = project(b, kv, key, dim, keyProjection, keyError);
        double[][] v = project(b, kv, value, valueDim, valueProjection, valueError);
        for (int i = 0; i < queries; i++) {
          int q = ((b * queries + i) * heads + h) * dim;
          double[] weights = new double[rank];
          double sum = 0;
          double off = 0; // of scores
          for (int r = 0; r < rank; r++) {
            double score = 0;
            double moved = 0;
            for (int d = 0; d < dim; d++) {
              score += query[q + d] * k[r][d];
              moved +=
                  Math.abs(query[q + d]) * (keyError[r][d] + (dim + 4) * U * Math.abs(k[r][d]));
            }
            weights[r] = Math.exp(scale * score);
            sum += weights[r];
            off = Math.max(off, scale * moved + 8 * U * Math.abs(scale * score));
          }
          for (int d = 0; d < valueDim; d++) {
            double exact = 0;
            double sizes = 0;
            double inherited = 0;
            for (int r = 0; r < rank; r++) {
              double p = weights[r] / sum;
              exact += p * v[r][d];
              sizes += p * Math.abs(v[r][d]);
              inherited += p * valueError[r][d];
            }
            int at = ((b * queries + i) * heads + h) * valueDim + d;
            loss += exact * dout[at];
            if (out != null) {
              out[at] = exact;
              // A weight errs by twice what scores do, its power by 8 roundings, sums by one a
              // term.
              allowed[at] = inherited + sizes * 2 * (2 * off + (16 + 2 * rank) * U);
            }
          }
        }
      }
    }
    return loss;
  }

  /** The derivative of the loss along a direction of one of the operands. */
  double derivative(float[] operand, float[] way) {
    double step = 0x1p-10;
    return (4 * difference(operand, way, step) - difference(operand, way, 2 * step)) / 3;
  }

  private double difference(float[] operand, float[] way, double step) {
    float[] before = operand.clone();
    double[] ends = new double[2];
    for (int end = 0; end < 2; end++) {
      for (int i = 0; i < operand.length; i++) {
        operand[i] = (float) (before[i] + (end == 0 ? step : -step) * way[i]);
      }
      ends[end] = loss(null, null);
    }
    System.arraycopy(before, 0, operand, 0, before.length);
    return (ends[0] - ends[1]) / (2 * step);
  }
}

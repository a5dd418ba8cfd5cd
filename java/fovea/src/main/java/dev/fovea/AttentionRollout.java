package dev.fovea;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Attention rollout: how much each position of the last layer of a self-attention network draws
 * from each position of its input, from the attention weights of its layers.
 *
 * <p>With weights A_l [B, H, S, S] of layer l, the first layer first:
 *
 * <pre>
 *   M_l       = 0.5 mean_h A_l + 0.5 I      the residual connection carries as much as attention
 *   N_l       = M_l, each row divided by its sum
 *   rollout   = N_L ... N_2 N_1
 * </pre>
 *
 * <p>Rows of the result add up to 1. Computed in float64 on the host and rounded once, the same
 * bits for any number of threads; a sequence of S positions takes 28 S^2 bytes of the Java heap
 * while it is computed, and 2 S^3 operations for each layer but the first.
 *
 * <p>Source: Abnar and Zuidema, Quantifying attention flow in transformers, 2020, arXiv 2005.00928.
 */
public final class AttentionRollout {
  private AttentionRollout() {}

  /**
   * Of sequences that are all as long as the weights are wide.
   *
   * @param weights of each layer as {@link SoftmaxCall#weights} has them, [B, H, S, S] of a
   *     floating type; B and S are the same for all, H need not be
   * @return [B, S, S] {@link DType#FLOAT32}, new in {@code scope}
   * @throws IllegalArgumentException if there is no layer, the weights are not those of
   *     self-attention over sequences of one length, or one is negative
   */
  public static Tensor of(Scope scope, List<Tensor> weights) {
    return of(scope, weights, null);
  }

  /**
   * Of sequences of these lengths. What lies behind them is not read, and 0 in the result.
   *
   * @param lengths [B] {@link DType#INT32}, from 0 to S; null for S
   * @throws IllegalArgumentException as {@link #of(Scope, List)}, or if a length is out of its
   *     range
   */
  public static Tensor of(Scope scope, List<Tensor> weights, Tensor lengths) {
    Objects.requireNonNull(scope, "scope");
    check(weights);
    Tensor first = weights.getFirst();
    int batch = Math.toIntExact(first.size(0));
    long width = first.size(2);
    int[] rows = lengths(lengths, batch, width);
    Tensor rollout = scope.allocate(DType.FLOAT32, batch, width, width);
    for (int sequence = 0; sequence < batch; sequence++) {
      int length = rows[sequence];
      if (length > 0) {
        float[] values = rounded(rollout(weights, sequence, length));
        rollout.select(0, sequence).slice(0, 0, length).slice(1, 0, length).copyFrom(values);
      }
    }
    return rollout;
  }

  private static void check(List<Tensor> weights) {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException("weights is empty, expected those of each layer");
    }
    Tensor first = weights.getFirst();
    for (int layer = 0; layer < weights.size(); layer++) {
      Tensor it = Objects.requireNonNull(weights.get(layer), "weights of a layer");
      String name = "weights of layer " + layer;
      Check.shape(name, it, "[B, H, S, S]", Check.ANY, Check.ANY, Check.ANY, Check.ANY);
      Check.floating(name, it);
      if (it.size(2) != it.size(3)) {
        throw new IllegalArgumentException(
            "%s are of %d queries and %d keys, expected those of self-attention: as many"
                .formatted(name, it.size(2), it.size(3)));
      }
      if (it.size(1) == 0) {
        throw new IllegalArgumentException(name + " have no head, expected 1 or more");
      }
      Check.shape(name, it, "[B, H, S, S]", first.size(0), Check.ANY, first.size(2), first.size(2));
    }
  }

  private static int[] lengths(Tensor lengths, int batch, long width) {
    int[] rows = new int[batch];
    if (lengths == null) {
      Arrays.fill(rows, Math.toIntExact(width));
      return rows;
    }
    Check.shape("lengths", lengths, "[B]", batch);
    Check.dtype("lengths", lengths, DType.INT32);
    rows = lengths.toIntArray();
    for (int sequence = 0; sequence < batch; sequence++) {
      if (rows[sequence] < 0 || rows[sequence] > width) {
        throw new IllegalArgumentException(
            "lengths[%d] is %d, expected 0 to %d".formatted(sequence, rows[sequence], width));
      }
    }
    return rows;
  }

  private static double[][] rollout(List<Tensor> weights, int sequence, int length) {
    double[][] product = null;
    for (int layer = 0; layer < weights.size(); layer++) {
      double[][] mixed = mixed(weights.get(layer), layer, sequence, length);
      product = product == null ? mixed : product(mixed, product);
    }
    return product;
  }

  /** Heads averaged, half of the residual, rows that add up to 1. */
  private static double[][] mixed(Tensor weights, int layer, int sequence, int length) {
    double[][] mixed = new double[length][length];
    long heads = weights.size(1);
    for (long head = 0; head < heads; head++) {
      float[] values =
          weights
              .select(0, sequence)
              .select(0, head)
              .slice(0, 0, length)
              .slice(1, 0, length)
              .toFloatArray();
      for (int i = 0; i < length; i++) {
        for (int j = 0; j < length; j++) {
          float weight = values[i * length + j];
          if (weight < 0) {
            throw new IllegalArgumentException(
                "weights of layer %d are %s at [%d, %d, %d, %d], expected 0 or more"
                    .formatted(layer, weight, sequence, head, i, j));
          }
          mixed[i][j] += weight;
        }
      }
    }
    for (int i = 0; i < length; i++) {
      double[] row = mixed[i];
      double sum = 0;
      for (int j = 0; j < length; j++) {
        row[j] = 0.5 * row[j] / heads + (i == j ? 0.5 : 0);
        sum += row[j];
      }
      for (int j = 0; j < length; j++) {
        row[j] /= sum;
      }
    }
    return mixed;
  }

  /** Each row by itself and in one order, whoever computes it. */
  private static double[][] product(double[][] left, double[][] right) {
    int length = left.length;
    double[][] product = new double[length][length];
    IntStream.range(0, length)
        .parallel()
        .forEach(
            i -> {
              double[] sum = product[i];
              for (int k = 0; k < length; k++) {
                double factor = left[i][k];
                if (factor != 0) { // half of them under a causal mask
                  double[] row = right[k];
                  for (int j = 0; j < length; j++) {
                    sum[j] += factor * row[j];
                  }
                }
              }
            });
    return product;
  }

  private static float[] rounded(double[][] rows) {
    int length = rows.length;
    float[] values = new float[length * length];
    for (int i = 0; i < length; i++) {
      for (int j = 0; j < length; j++) {
        values[i * length + j] = (float) rows[i][j];
      }
    }
    return values;
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionRolloutTest {
  // One rounding to float32; what float64 adds over S 40 and five layers is far below this.
  private static final double RELATIVE = 0x1p-24 + 0x1p-40;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void isTheProductOfItsLayers(long seed) {
    Random random = new Random(seed);
    int batch = 1 + random.nextInt(3);
    int width = 1 + random.nextInt(40);
    int layers = 1 + random.nextInt(5);
    boolean causal = random.nextBoolean();
    int[] lengths = random.ints(batch, 0, width + 1).toArray();
    List<Tensor> weights = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      weights.add(weights(random, lengths, 1 + random.nextInt(4), width, causal));
    }
    Tensor rollout =
        AttentionRollout.of(scope, weights, scope.copyOf(lengths.clone(), lengths.length));
    assertArrayEquals(new long[] {batch, width, width}, rollout.shape());
    for (int b = 0; b < batch; b++) {
      double[][] expected = expected(weights, b, lengths[b]);
      for (int i = 0; i < width; i++) {
        for (int j = 0; j < width; j++) {
          boolean padding = i >= lengths[b] || j >= lengths[b];
          double value = padding ? 0 : expected[i][j];
          assertEquals(
              value,
              rollout.getFloat(b, i, j),
              RELATIVE * value,
              "seed %d at [%d, %d, %d]".formatted(seed, b, i, j));
        }
      }
    }
  }

  /** Softmax over the keys that are seen; NaN behind the lengths, which nobody is to read. */
  private Tensor weights(Random random, int[] lengths, int heads, int width, boolean causal) {
    float[] values = new float[lengths.length * heads * width * width];
    Arrays.fill(values, Float.NaN);
    for (int b = 0; b < lengths.length; b++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < lengths[b]; i++) {
          int keys = causal ? i + 1 : lengths[b];
          double[] row = random.doubles(keys, 0, 1).toArray();
          double sum = Arrays.stream(row).sum();
          for (int j = 0; j < lengths[b]; j++) {
            int at = ((b * heads + h) * width + i) * width + j;
            values[at] = j < keys ? (float) (row[j] / sum) : 0;
          }
        }
      }
    }
    return scope.copyOf(values, lengths.length, heads, width, width);
  }

  /** As the formula has it, column by column. */
  private static double[][] expected(List<Tensor> weights, int b, int n) {
    double[][] rollout = new double[n][n];
    for (int i = 0; i < n; i++) {
      rollout[i][i] = 1;
    }
    for (Tensor layer : weights) {
      double[][] mixed = new double[n][n];
      for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) {
          double mean = 0;
          for (int h = 0; h < layer.size(1); h++) {
            mean += layer.getFloat(b, h, i, j) / (double) layer.size(1);
          }
          mixed[i][j] = 0.5 * mean + (i == j ? 0.5 : 0);
          sum += mixed[i][j];
        }
        for (int j = 0; j < n; j++) {
          mixed[i][j] /= sum;
        }
      }
      double[][] next = new double[n][n];
      for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++) {
          for (int k = 0; k < n; k++) {
            next[i][j] += mixed[i][k] * rollout[k][j];
          }
        }
      }
      rollout = next;
    }
    return rollout;
  }

  @Test
  void takesTheWeightsOfAttention() {
    Tensor x =
        scope.copyOf(new Random(7).doubles(2 * 9 * 2 * 8).toArray(), DType.FLOAT32, 2, 9, 2, 8);
    Tensor weights = scope.allocate(DType.FLOAT32, 2, 2, 9, 9);
    Tensor lengths = scope.copyOf(new int[] {9, 4}, 2);
    Attention.builder()
        .causal()
        .build()
        .call(x, x, x)
        .queryLengths(lengths)
        .keyLengths(lengths)
        .weights(weights)
        .forward(scope);
    Tensor rollout = AttentionRollout.of(scope, List.of(weights, weights, weights), lengths);
    for (int b = 0; b < 2; b++) {
      for (int i = 0; i < 9; i++) {
        double sum = 0;
        for (int j = 0; j < 9; j++) {
          assertTrue(j <= i || rollout.getFloat(b, i, j) == 0, "the future has no part");
          sum += rollout.getFloat(b, i, j);
        }
        assertEquals(b == 1 && i >= 4 ? 0 : 1, sum, 9 * 0x1p-24);
      }
    }
  }

  @Test
  void aQueryThatSeesNothingKeepsItself() {
    Tensor weights = scope.allocate(DType.FLOAT32, 1, 2, 3, 3);
    Tensor rollout = AttentionRollout.of(scope, List.of(weights, weights));
    assertArrayEquals(new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1}, rollout.toFloatArray());
  }

  @Test
  void refusesWhatIsNoSelfAttention() {
    Tensor square = scope.allocate(DType.FLOAT32, 2, 1, 3, 3);
    assertEquals("weights is empty, expected those of each layer", refusal(List.of(), null));
    assertEquals(
        "weights of layer 1 are of 3 queries and 4 keys, expected those of self-attention: as many",
        refusal(List.of(square, scope.allocate(DType.FLOAT32, 2, 1, 3, 4)), null));
    assertEquals(
        "weights of layer 0 has shape [3, 3], expected [B, H, S, S] = [any, any, any, any]",
        refusal(List.of(scope.allocate(DType.FLOAT32, 3, 3)), null));
    assertEquals(
        "weights of layer 1 has shape [2, 1, 4, 4], expected [B, H, S, S] = [2, any, 3, 3]",
        refusal(List.of(square, scope.allocate(DType.FLOAT32, 2, 1, 4, 4)), null));
    assertEquals(
        "weights of layer 0 have no head, expected 1 or more",
        refusal(List.of(scope.allocate(DType.FLOAT32, 2, 0, 3, 3)), null));
    assertEquals(
        "weights of layer 0 is INT32, expected a floating type",
        refusal(List.of(scope.allocate(DType.INT32, 2, 1, 3, 3)), null));
    assertEquals(
        "lengths[1] is 4, expected 0 to 3",
        refusal(List.of(square), scope.copyOf(new int[] {0, 4}, 2)));
    assertEquals(
        "lengths has shape [3], expected [B] = [2]",
        refusal(List.of(square), scope.copyOf(new int[3], 3)));
    square.setFloat(-0.25f, 1, 0, 2, 0);
    assertEquals(
        "weights of layer 0 are -0.25 at [1, 0, 2, 0], expected 0 or more",
        refusal(List.of(square), null));
  }

  private String refusal(List<Tensor> weights, Tensor lengths) {
    return assertThrows(
            IllegalArgumentException.class, () -> AttentionRollout.of(scope, weights, lengths))
        .getMessage();
  }
}

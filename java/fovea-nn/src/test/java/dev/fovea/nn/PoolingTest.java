package dev.fovea.nn;

import dev.fovea.AdditiveAttention;
import dev.fovea.DType;
import dev.fovea.nn.GradientCheck.Inputs;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Attention with learned queries and with additive scores, against the formulas in float64. */
class PoolingTest {
  private static final int BATCH = 2;
  private static final int LENGTH = 5;
  private static final int WIDTH = 6;
  private static final int HEADS = 2;
  private static final int HIDDEN = 3;

  /** Means of the rows of x, head by head, by the softmax of scores [B, Sq, H, Sk]. */
  private static double[] means(double[] scores, double[] x, int queries) {
    double[] out = new double[BATCH * queries * WIDTH];
    int part = WIDTH / HEADS;
    for (int row = 0; row < BATCH * queries * HEADS; row++) {
      int b = row / (queries * HEADS);
      int h = row % HEADS;
      double sum = 0;
      for (int s = 0; s < LENGTH; s++) {
        sum += Math.exp(scores[row * LENGTH + s]);
      }
      for (int s = 0; s < LENGTH; s++) {
        double p = Math.exp(scores[row * LENGTH + s]) / sum;
        for (int d = 0; d < part; d++) {
          out[row * part + d] += p * x[(b * LENGTH + s) * WIDTH + h * part + d];
        }
      }
    }
    return out;
  }

  private static double[] additiveScores(
      double[] query, double[] key, double[] weight, double[] bias, int queries) {
    double[] scores = new double[BATCH * queries * HEADS * LENGTH];
    for (int i = 0; i < scores.length; i++) {
      int s = i % LENGTH;
      int h = i / LENGTH % HEADS;
      int q = i / (LENGTH * HEADS) % queries;
      int b = i / (LENGTH * HEADS * queries);
      for (int a = 0; a < HIDDEN; a++) {
        double sum = key[((b * LENGTH + s) * HEADS + h) * HIDDEN + a] + bias[h * HIDDEN + a];
        sum += query == null ? 0 : query[((b * queries + q) * HEADS + h) * HIDDEN + a];
        scores[i] += weight[h * HIDDEN + a] * Math.tanh(sum);
      }
    }
    return scores;
  }

  private static double[] additive(Map<String, double[]> v) {
    double[] x = v.get("x");
    double[] key = Reference.linear(x, v.get("module.key.weight"), null, WIDTH, HEADS * HIDDEN);
    double[] scores = additiveScores(null, key, v.get("module.query"), v.get("module.bias"), 1);
    return means(scores, x, 1);
  }

  private static double[] dot(Map<String, double[]> v) {
    double[] x = v.get("x");
    double[] key = Reference.linear(x, v.get("module.key.weight"), null, WIDTH, HEADS * HIDDEN);
    double[] scores = new double[BATCH * HEADS * LENGTH];
    for (int i = 0; i < scores.length; i++) {
      int s = i % LENGTH;
      int h = i / LENGTH % HEADS;
      int b = i / (LENGTH * HEADS);
      for (int a = 0; a < HIDDEN; a++) {
        scores[i] +=
            v.get("module.query")[h * HIDDEN + a]
                * key[((b * LENGTH + s) * HEADS + h) * HIDDEN + a]
                / Math.sqrt(HIDDEN);
      }
    }
    return means(scores, x, 1);
  }

  @Test
  void additivePooling() {
    Inputs<SequencePooling> all =
        new Inputs<>(SequencePooling.additive(WIDTH, HEADS, HIDDEN))
            .with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        all, tape -> all.module.forward(all.get(tape, "x"), null), PoolingTest::additive, 2e-5);
  }

  @Test
  void poolingByProducts() {
    Inputs<SequencePooling> all =
        new Inputs<>(SequencePooling.dot(WIDTH, HEADS, HIDDEN)).with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        all, tape -> all.module.forward(all.get(tape, "x"), null), PoolingTest::dot, 2e-5);
  }

  @Test
  void packedPoolingIsThatOfSequencesOfOneLength() {
    Inputs<SequencePooling> all =
        new Inputs<>(SequencePooling.additive(WIDTH, HEADS, HIDDEN))
            .with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        all,
        tape -> {
          Variable offsets = tape.input(DType.INT32, BATCH + 1);
          offsets.value().copyFrom(new int[] {0, LENGTH, 2 * LENGTH});
          Variable rows = all.get(tape, "x").reshape(BATCH * LENGTH, WIDTH);
          return all.module.forward(rows, offsets, LENGTH);
        },
        PoolingTest::additive,
        2e-5);
  }

  @Test
  void additiveAttention() {
    int queries = 3;
    AdditiveMultiHeadAttention layer =
        new AdditiveMultiHeadAttention(4, WIDTH, HEADS, HIDDEN, true, AdditiveAttention.create());
    Inputs<AdditiveMultiHeadAttention> all =
        new Inputs<>(layer).with("q", BATCH, queries, 4).with("x", BATCH, LENGTH, WIDTH);
    GradientCheck.check(
        all,
        tape -> layer.forward(all.get(tape, "q"), all.get(tape, "x"), Operands.none()),
        v -> {
          double[] query =
              Reference.linear(v.get("q"), v.get("module.query.weight"), null, 4, HEADS * HIDDEN);
          double[] key =
              Reference.linear(
                  v.get("x"), v.get("module.memory.weight"), null, WIDTH, HEADS * HIDDEN);
          double[] scores =
              additiveScores(query, key, v.get("module.weight"), v.get("module.bias"), queries);
          return means(scores, v.get("x"), queries);
        },
        2e-5);
  }
}

package dev.fovea.nn;

import static dev.fovea.nn.Reference.attention;
import static dev.fovea.nn.Reference.columns;
import static dev.fovea.nn.Reference.linear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class MultiHeadAttentionTest {
  private static final int BATCH = 2;
  private static final int WIDTH = 12;
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int DIM = 5;
  private static final int QUERIES = HEADS * DIM;
  private static final int KEYS = KEY_HEADS * DIM;

  private static MultiHeadAttention.Sizes sizes(int memoryWidth, boolean hasBias) {
    return new MultiHeadAttention.Sizes(WIDTH, memoryWidth, HEADS, KEY_HEADS, DIM, hasBias);
  }

  @Test
  void selfAttentionWithSharedKeysAndACausalMask() {
    var module =
        new GradientCheck.Inputs<>(
                MultiHeadAttention.self(sizes(WIDTH, true), Attention.builder().causal().build()))
            .with("x", BATCH, 6, WIDTH);
    GradientCheck.check(
        module,
        tape -> module.module.forward(module.get(tape, "x")),
        p -> {
          int all = QUERIES + 2 * KEYS;
          double[] in =
              linear(
                  p.get("x"),
                  p.get("module.query_key_value.weight"),
                  p.get("module.query_key_value.bias"),
                  WIDTH,
                  all);
          double[] attended =
              attention(
                  columns(in, all, 0, QUERIES),
                  columns(in, all, QUERIES, KEYS),
                  columns(in, all, QUERIES + KEYS, KEYS),
                  BATCH,
                  HEADS,
                  KEY_HEADS,
                  DIM,
                  true);
          return linear(
              attended, p.get("module.out.weight"), p.get("module.out.bias"), QUERIES, WIDTH);
        },
        2e-5);
  }

  @Test
  void crossAttentionOverAMemoryOfAnotherWidth() {
    var module =
        new GradientCheck.Inputs<>(MultiHeadAttention.cross(sizes(7, false), Attention.create()))
            .with("x", BATCH, 3, WIDTH)
            .with("memory", BATCH, 5, 7);
    GradientCheck.check(
        module,
        tape ->
            module.module.forward(
                module.get(tape, "x"), module.get(tape, "memory"), Operands.none()),
        p -> {
          double[] query = linear(p.get("x"), p.get("module.query.weight"), null, WIDTH, QUERIES);
          double[] pairs =
              linear(p.get("memory"), p.get("module.key_value.weight"), null, 7, 2 * KEYS);
          double[] attended =
              attention(
                  query,
                  columns(pairs, 2 * KEYS, 0, KEYS),
                  columns(pairs, 2 * KEYS, KEYS, KEYS),
                  BATCH,
                  HEADS,
                  KEY_HEADS,
                  DIM,
                  false);
          return linear(attended, p.get("module.out.weight"), null, QUERIES, WIDTH);
        },
        2e-5);
  }

  /** Against softmax(Q K^T / sqrt(D)) of what the module projects. */
  @Test
  void weightsAreShownToWhoObserves() {
    MultiHeadAttention module = MultiHeadAttention.cross(sizes(7, true), Attention.create());
    try (Parameters parameters = Parameters.of(module, Device.cpu(), 3);
        Tape tape = Tape.open(Device.cpu())) {
      float[] before = crossed(tape, module);
      List<Variable> seen = new ArrayList<>();
      module.observe(seen::add);
      assertArrayEquals(before, crossed(tape, module));
      Variable weights = seen.getFirst();
      assertArrayEquals(new long[] {BATCH, HEADS, 3, 5}, weights.shape());
      assertFalse(weights.isDifferentiable());
      double[] query = projected(parameters, "query", values(BATCH * 3 * WIDTH), WIDTH, QUERIES);
      double[] pairs = projected(parameters, "key_value", values(BATCH * 5 * 7), 7, 2 * KEYS);
      float[] actual = weights.value().toFloatArray();
      for (int row = 0; row < actual.length / 5; row++) {
        int b = row / (HEADS * 3);
        int h = row / 3 % HEADS;
        double[] scores = new double[5];
        for (int j = 0; j < 5; j++) {
          for (int d = 0; d < DIM; d++) {
            scores[j] +=
                query[((b * 3 + row % 3) * HEADS + h) * DIM + d]
                    * pairs[(b * 5 + j) * 2 * KEYS + h / 2 * DIM + d]
                    / Math.sqrt(DIM);
          }
        }
        double sum = Arrays.stream(scores).map(Math::exp).sum();
        for (int j = 0; j < 5; j++) {
          assertEquals(Math.exp(scores[j]) / sum, actual[row * 5 + j], 1e-6, "row " + row);
        }
      }
      module.observe(null);
      crossed(tape, module);
      assertEquals(1, seen.size());
    }
  }

  private static float[] crossed(Tape tape, MultiHeadAttention module) {
    tape.begin();
    Variable x = tape.input(DType.FLOAT32, BATCH, 3, WIDTH);
    Variable memory = tape.input(DType.FLOAT32, BATCH, 5, 7);
    x.value().copyFrom(values(BATCH * 3 * WIDTH));
    memory.value().copyFrom(values(BATCH * 5 * 7));
    return module.forward(x, memory, Operands.none()).value().toFloatArray();
  }

  private static float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) Math.sin(count + 1.7 * i);
    }
    return values;
  }

  private static double[] projected(
      Parameters parameters, String layer, float[] x, int in, int out) {
    return linear(
        doubles(x),
        doubles(parameters.named().get(layer + ".weight").value().toFloatArray()),
        doubles(parameters.named().get(layer + ".bias").value().toFloatArray()),
        in,
        out);
  }

  private static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    Arrays.setAll(wide, i -> values[i]);
    return wide;
  }

  @Test
  void refusesSizesThatDoNotFit() {
    Attention attention = Attention.create();
    assertThrows(IllegalArgumentException.class, () -> MultiHeadAttention.self(10, 3, attention));
    assertThrows(
        IllegalArgumentException.class,
        () -> new MultiHeadAttention.Sizes(WIDTH, WIDTH, 4, 3, DIM, true));
    assertThrows(
        IllegalArgumentException.class, () -> MultiHeadAttention.self(sizes(7, true), attention));
  }
}

package dev.fovea.nn;

import static dev.fovea.nn.Reference.attention;
import static dev.fovea.nn.Reference.columns;
import static dev.fovea.nn.Reference.linear;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.Attention;
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

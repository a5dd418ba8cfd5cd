package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Score modifiers: what they are made of, and by the built-in ones that they can say. */
class ScoreModifierTest {

  private static final int HEADS = 3;
  private static final int QUERIES = 37;
  private static final int KEYS = 141;
  private static final int DIM = 16;

  private record Results(float[] out, float[] query, float[] key, float[] value, float[] table) {
    void assertNear(Results expected) {
      near(expected.out, out);
      near(expected.query, query);
      near(expected.key, key);
      near(expected.value, value);
      near(expected.table, table);
    }

    private static void near(float[] expected, float[] actual) {
      float most = 0;
      for (float x : expected) {
        most = Math.max(most, Math.abs(x));
      }
      assertArrayEquals(expected, actual, 2e-5f * most);
    }
  }

  private static Tensor drawn(Scope scope, int seed, long... shape) {
    java.util.Random random = new java.util.Random(seed);
    float[] x = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return scope.allocate(DType.FLOAT32, shape).copyFrom(x);
  }

  private interface Bound {
    void table(AttentionCall call, Tensor table);
  }

  private interface Gradient {
    void table(AttentionBackward backward, Tensor table);
  }

  /** Both passes of an attention, its table given by {@code bound}. */
  private static Results run(Attention attention, long[] shape, Bound bound, Gradient gradient) {
    try (Scope scope = Scope.open()) {
      Tensor table = drawn(scope, 4, shape);
      AttentionCall call =
          attention
              .call(
                  drawn(scope, 1, 2, QUERIES, HEADS, DIM),
                  drawn(scope, 2, 2, KEYS, 1, DIM),
                  drawn(scope, 3, 2, KEYS, 1, DIM))
              .lse(scope.allocate(DType.FLOAT32, 2, HEADS, QUERIES));
      bound.table(call, table);
      float[] out = call.forward(scope).toFloatArray();
      Tensor dtable = scope.allocate(DType.FLOAT32, shape);
      AttentionBackward backward = call.gradients(drawn(scope, 5, 2, QUERIES, HEADS, DIM));
      gradient.table(backward, dtable);
      AttentionGradients gradients = backward.backward(scope);
      return new Results(
          out,
          gradients.query().toFloatArray(),
          gradients.key().toFloatArray(),
          gradients.value().toFloatArray(),
          dtable.toFloatArray());
    }
  }

  private static Results run(Attention attention, ScoreModifier modifier, long... table) {
    return run(
        attention.toBuilder().scoreModifier(modifier).build(),
        table,
        AttentionCall::modifierTable,
        AttentionBackward::dmodifierTable);
  }

  @Test
  void alibi() {
    Attention causal = Attention.builder().causal().build();
    ScoreModifier alibi =
        ScoreModifier.of((score, at) -> score.plus(at.table(0).times(at.key().minus(at.query()))));
    run(causal, alibi, HEADS, 1)
        .assertNear(
            run(
                causal,
                new long[] {HEADS, 1},
                (call, slopes) -> call.alibiSlopes(slopes.squeeze(1)),
                (backward, slopes) -> backward.dalibiSlopes(slopes.squeeze(1))));
  }

  @Test
  void relativeBias() {
    Attention plain = Attention.create();
    int reach = 5;
    ScoreModifier relative =
        ScoreModifier.of(
            (score, at) ->
                score.plus(
                    at.table(at.key().minus(at.query()).max(-reach).min(reach).plus(reach))));
    int[] buckets = new int[2 * reach + 1];
    Arrays.setAll(buckets, i -> i);
    try (Scope scope = Scope.open()) {
      Tensor map = scope.copyOf(buckets, buckets.length);
      run(plain, relative, HEADS, buckets.length)
          .assertNear(
              run(
                  plain,
                  new long[] {HEADS, buckets.length},
                  (call, table) -> call.relativeBias(table, map),
                  AttentionBackward::drelativeTable));
    }
  }

  @Test
  void softcap() {
    ScoreModifier capped =
        ScoreModifier.of((score, at) -> score.dividedBy(1.5).tanh().times(1.5).plus(at.table(0)));
    Attention own = Attention.create();
    Attention builtIn = Attention.builder().softcap(1.5).build();
    // What is added to all scores of a row changes nothing, and has a gradient of 0.
    Results expected =
        run(builtIn, new long[] {1, 1}, (call, table) -> {}, (backward, table) -> {});
    Results actual = run(own, capped, 1, 1);
    assertEquals(0, actual.table()[0], 1e-4);
    new Results(actual.out(), actual.query(), actual.key(), actual.value(), expected.table())
        .assertNear(expected);
  }

  @Test
  void softcapComesBehind() {
    ScoreModifier twice = ScoreModifier.of((score, at) -> score.times(at.table(1)));
    Attention capped = Attention.builder().softcap(2).build();
    // A table of two columns, the second a factor of each head, against a scale.
    try (Scope scope = Scope.open()) {
      Tensor factors = scope.allocate(DType.FLOAT32, 1, 2).fill(3);
      Results expected =
          run(
              capped.toBuilder().scale(3 / Math.sqrt(DIM)).build(),
              new long[] {1, 2},
              (call, table) -> {},
              (backward, table) -> {});
      Results actual =
          run(
              capped.toBuilder().scoreModifier(twice).build(),
              new long[] {1, 2},
              (call, table) -> call.modifierTable(factors),
              (backward, table) -> {});
      actual.assertNear(expected);
    }
  }

  /** All that a modifier may say, by differences of its own forward pass. */
  @Test
  void gradientsAreThoseOfDifferences() {
    ScoreModifier all =
        ScoreModifier.of(
            (score, at) -> {
              ScoreTerm near = at.key().minus(at.query()).abs().times(0.05);
              ScoreTerm wave = score.sigmoid().plus(score.abs().plus(1).log());
              ScoreTerm other = score.times(score).plus(2).sqrt().minus(near.negated().exp());
              ScoreTerm third = at.table(at.head().plus(at.batch())).times(score.max(-0.3));
              return at.key()
                  .floor()
                  .isBelow(70)
                  .and(at.query().isAtMost(110).not())
                  .or(at.query().isEqualTo(12))
                  .choose(
                      wave.times(at.table(2)), other.plus(third).dividedBy(score.min(4).minus(9)));
            });
    Attention attention = Attention.builder().scoreModifier(all).build();
    try (Scope scope = Scope.open()) {
      float step = 1 / 64f;
      Tensor query = drawn(scope, 1, 2, QUERIES, HEADS, DIM);
      Tensor key = drawn(scope, 2, 2, KEYS, 1, DIM);
      Tensor value = drawn(scope, 3, 2, KEYS, 1, DIM);
      Tensor table = drawn(scope, 4, HEADS, 5);
      Tensor dout = drawn(scope, 5, 2, QUERIES, HEADS, DIM);
      Tensor dtable = scope.allocate(DType.FLOAT32, HEADS, 5);
      AttentionCall call =
          attention
              .call(query, key, value)
              .modifierTable(table)
              .lse(scope.allocate(DType.FLOAT32, 2, HEADS, QUERIES));
      call.forward(scope);
      AttentionGradients gradients = call.gradients(dout).dmodifierTable(dtable).backward(scope);
      for (Tensor[] pair :
          new Tensor[][] {{table, dtable}, {query, gradients.query()}, {key, gradients.key()}}) {
        float[] x = pair[0].toFloatArray();
        float[] direction = drawn(scope, 6, x.length).toFloatArray();
        double[] sums = new double[2];
        for (int sign = -1; sign <= 1; sign += 2) {
          float[] moved = x.clone();
          for (int i = 0; i < x.length; i++) {
            moved[i] += sign * step * direction[i] / (pair[0] == table ? 1 : 16);
          }
          pair[0].copyFrom(moved);
          sums[(sign + 1) / 2] = product(call.forward(scope).toFloatArray(), dout.toFloatArray());
        }
        pair[0].copyFrom(x);
        double expected = (sums[1] - sums[0]) / (2 * step) * (pair[0] == table ? 1 : 16);
        double actual = product(pair[1].toFloatArray(), direction);
        assertEquals(expected, actual, 0.02 * Math.abs(expected) + 0.02);
      }
    }
  }

  private static double product(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  @Test
  void refusals() {
    assertThrows(
        IllegalArgumentException.class, () -> ScoreModifier.of((score, at) -> at.table(-1)));
    assertThrows(
        IllegalArgumentException.class, () -> ScoreModifier.of((score, at) -> score.plus(1e300)));
    assertThrows(NullPointerException.class, () -> ScoreModifier.of((score, at) -> null));
    IllegalArgumentException many =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                ScoreModifier.of(
                    (score, at) -> {
                      ScoreTerm sum = score;
                      for (int i = 0; i < 9; i++) {
                        sum = sum.plus(at.table(i).times(at.key()));
                      }
                      return sum;
                    }));
    assertTrue(many.getMessage().contains("at most 8"), many.getMessage());
    ScoreModifier third = ScoreModifier.of((score, at) -> score.plus(at.table(2)));
    Attention attention = Attention.builder().scoreModifier(third).build();
    try (Scope scope = Scope.open()) {
      Tensor x = drawn(scope, 1, 1, 4, 1, 8);
      AttentionCall call = attention.call(x, x, x);
      assertTrue(
          assertThrows(IllegalStateException.class, () -> call.forward(scope))
              .getMessage()
              .contains("(score + table[2.0])"));
      assertThrows(IllegalArgumentException.class, () -> call.modifierTable(drawn(scope, 1, 1, 2)));
      assertThrows(
          IllegalArgumentException.class,
          () -> Attention.create().call(x, x, x).modifierTable(drawn(scope, 1, 1, 3)));
      call.modifierTable(drawn(scope, 1, 1, 3)).forward(scope);
    }
  }

  @Test
  void whatSaysTheSameIsEqual() {
    ScoreModifier one = ScoreModifier.of((score, at) -> score.times(2).plus(at.key()));
    assertEquals(one, ScoreModifier.of((score, at) -> score.times(2).plus(at.key().plus(0))));
    assertNotEquals(one, ScoreModifier.of((score, at) -> score.times(3).plus(at.key())));
    assertEquals("(score * 2.0 + key)", one.toString());
  }
}

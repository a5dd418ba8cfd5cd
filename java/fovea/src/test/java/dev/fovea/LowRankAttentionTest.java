package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LowRankAttentionTest {
  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void isTheFormula(long seed) {
    LowRankCase c = new LowRankCase(scope, seed);
    double[] exact = new double[c.dout.length];
    double[] allowed = new double[c.dout.length];
    c.loss(exact, allowed);
    float[] out = c.call().forward(scope).toFloatArray();
    for (int i = 0; i < exact.length; i++) {
      assertEquals(
          exact[i], out[i], allowed[i] + LowRankCase.U * Math.abs(exact[i]), "element " + i);
    }
  }

  /** Of every operand, along a direction of -1, 0 and 1; steps are rounded to float32. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void gradientsAreDerivatives(long seed) {
    LowRankCase c = new LowRankCase(scope, seed);
    LowRankCall call = c.call().lse(scope.allocate(DType.FLOAT32, c.batch, c.heads, c.queries));
    call.forward(scope);
    Tensor dkeyProjection = c.projection(c.keyProjection);
    Tensor dvalueProjection = c.projection(c.valueProjection);
    AttentionGradients gradients =
        call.gradients(c.dout())
            .dkeyProjection(dkeyProjection)
            .dvalueProjection(dvalueProjection)
            .backward(scope);
    float[][] operands = {c.query, c.key, c.value, c.keyProjection, c.valueProjection};
    Tensor[] all = {
      gradients.query(), gradients.key(), gradients.value(), dkeyProjection, dvalueProjection
    };
    for (int which = 0; which < all.length; which++) {
      float[] way = new float[operands[which].length];
      float[] gradient = all[which].toFloatArray();
      double along = 0;
      double sizes = 0;
      for (int i = 0; i < way.length; i++) {
        way[i] = Float.isNaN(operands[which][i]) ? 0 : c.random.nextInt(3) - 1;
        along += way[i] * (double) gradient[i];
        sizes += Math.abs(way[i] * gradient[i]);
        assertTrue(!Float.isNaN(operands[which][i]) || gradient[i] == 0, "padding has none");
      }
      double derivative = c.derivative(operands[which], way);
      assertEquals(derivative, along, 2e-4 * (1 + sizes), "operand " + which);
    }
  }

  /** The same bits as of its parts, in any place and type of gradients. */
  @Test
  void isItsParts() {
    LowRankCase c = new LowRankCase(scope, 77);
    Tensor query = c.query();
    Tensor key = c.key();
    Tensor value = c.value();
    Tensor projection = c.projection(c.keyProjection);
    Tensor lengths = c.lengths();
    Tensor projectedKey = scope.allocate(DType.FLOAT32, c.batch, c.rank, c.keyHeads, c.dim);
    Tensor projectedValue = scope.allocate(DType.FLOAT32, c.batch, c.rank, c.keyHeads, c.valueDim);
    Tensor out = scope.allocate(DType.FLOAT32, c.batch, c.queries, c.heads, c.valueDim);
    Tensor lse = scope.allocate(DType.FLOAT32, c.batch, c.heads, c.queries);
    Tensor weights = scope.allocate(DType.FLOAT32, c.batch, c.heads, c.queries, c.rank);
    Attention attention = Attention.builder().scale(0.5).build();
    LowRankCall call =
        LowRankAttention.of(attention)
            .call(query, key, value, projection, projection, projectedKey, projectedValue)
            .keyLengths(lengths)
            .out(out)
            .lse(lse)
            .weights(weights)
            .parallelism(2);
    call.run();
    SequenceProjection parts = SequenceProjection.create();
    Tensor k = parts.call(key, projection).lengths(lengths).forward(scope);
    Tensor v = parts.call(value, projection).lengths(lengths).forward(scope);
    assertArrayEquals(k.toFloatArray(), projectedKey.toFloatArray());
    assertArrayEquals(v.toFloatArray(), projectedValue.toFloatArray());
    assertArrayEquals(attention.forward(scope, query, k, v).toFloatArray(), out.toFloatArray());

    Tensor dout = c.dout();
    AttentionGradients middle = attention.backward(scope, dout, query, k, v, out, lse);
    Tensor sum = c.projection(c.valueProjection); // to be added to
    Tensor dkey =
        parts
            .call(key, projection)
            .lengths(lengths)
            .gradients(middle.key())
            .dweight(sum)
            .accumulate(true)
            .backward(scope);
    Tensor dvalue =
        parts
            .call(value, projection)
            .lengths(lengths)
            .gradients(middle.value())
            .dweight(sum)
            .accumulate(true)
            .backward(scope);
    Tensor dprojection = c.projection(c.valueProjection);
    LowRankBackward backward =
        call.gradients(dout)
            .dkeyProjection(dprojection)
            .dvalueProjection(dprojection)
            .accumulate(true);
    AttentionGradients gradients = backward.backward(scope);
    assertArrayEquals(middle.query().toFloatArray(), gradients.query().toFloatArray());
    assertArrayEquals(dkey.toFloatArray(), gradients.key().toFloatArray());
    assertArrayEquals(dvalue.toFloatArray(), gradients.value().toFloatArray());
    assertArrayEquals(sum.toFloatArray(), dprojection.toFloatArray());

    // Both share a projection: without accumulate, the sum of the two alone.
    backward.accumulate(false).backward(scope);
    float[] both = dprojection.toFloatArray();
    Tensor first = c.projection(c.keyProjection);
    Tensor second = c.projection(c.keyProjection);
    call.gradients(dout).dkeyProjection(first).dvalueProjection(second).backward(scope);
    float[] one = first.toFloatArray();
    float[] other = second.toFloatArray();
    for (int i = 0; i < both.length; i++) {
      assertEquals(
          one[i] + other[i], both[i], 4 * LowRankCase.U * (Math.abs(one[i]) + Math.abs(other[i])));
    }
  }

  /** Gradients in a wider type than the operands, in memory of the caller's or not. */
  @Test
  void gradientsOfAnotherType() {
    LowRankCase c = new LowRankCase(scope, 5);
    Tensor[] operands = {
      c.query(), c.key(), c.value(), c.projection(c.keyProjection), c.projection(c.valueProjection)
    };
    for (int i = 0; i < operands.length; i++) {
      Tensor narrow = scope.allocate(DType.BFLOAT16, operands[i].shape());
      operands[i] = narrow.copyFrom(operands[i].toFloatArray());
    }
    LowRankCall call =
        LowRankAttention.create()
            .call(operands[0], operands[1], operands[2], operands[3], operands[4])
            .keyLengths(c.lengths())
            .lse(scope.allocate(DType.FLOAT32, c.batch, c.heads, c.queries));
    Tensor out = call.forward(scope);
    Tensor dout = scope.allocate(DType.BFLOAT16, out.shape()).copyFrom(c.dout);
    float[][] keys = new float[3][];
    for (int i = 0; i < 3; i++) {
      DType type = i == 0 ? DType.BFLOAT16 : DType.FLOAT32;
      LowRankBackward backward =
          call.gradients(dout)
              .dquery(scope.allocate(type, operands[0].shape()))
              .dkey(scope.allocate(type, operands[1].shape()))
              .dvalue(scope.allocate(type, operands[2].shape()));
      if (i == 2) {
        backward.dprojected(
            scope.allocate(type, c.batch, c.rank, c.keyHeads, c.dim),
            scope.allocate(type, c.batch, c.rank, c.keyHeads, c.valueDim));
      }
      keys[i] = backward.backward(scope).key().toFloatArray();
    }
    assertArrayEquals(keys[1], keys[2]);
    for (int i = 0; i < keys[0].length; i++) {
      assertEquals(keys[1][i], keys[0][i], 0.1 * (1 + Math.abs(keys[1][i])));
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    LowRankCase c = new LowRankCase(scope, 9);
    Tensor projection = c.projection(c.keyProjection);
    LowRankAttention attention = LowRankAttention.create();
    refused(
        "depends on positions of keys",
        () ->
            LowRankAttention.of(
                Attention.builder().causal(Attention.Alignment.BOTTOM_RIGHT).build()));
    refused(
        "depends on positions of keys",
        () -> LowRankAttention.of(Attention.builder().window(3, 0).build()));
    refused(
        "depends on positions of keys",
        () -> LowRankAttention.of(Attention.builder().blockSize(64, 64).build()));
    ScoreModifier modifier = ScoreModifier.of((score, at) -> score.plus(at.key()));
    refused(
        "depends on positions of keys",
        () -> LowRankAttention.of(Attention.builder().scoreModifier(modifier).build()));
    refused(
        "valueProjection has shape",
        () ->
            attention.call(
                c.query(),
                c.key(),
                c.value(),
                projection,
                scope.allocate(DType.FLOAT32, 99, c.keys)));
    refused(
        "keyProjection is BFLOAT16, expected FLOAT32",
        () ->
            attention.call(
                c.query(),
                c.key(),
                c.value(),
                scope.allocate(DType.BFLOAT16, projection.shape()),
                projection));
    refused(
        "keyLengths has shape",
        () -> c.call().keyLengths(scope.copyOf(new int[c.batch + 1], c.batch + 1)));
    LowRankCall call = c.call().lse(scope.allocate(DType.FLOAT32, c.batch, c.heads, c.queries));
    call.forward(scope);
    LowRankBackward backward = call.gradients(c.dout());
    refused("dkey has shape", () -> backward.dkey(scope.allocate(DType.FLOAT32, 1)));
    Tensor dkey = c.key();
    refused(
        "shares memory with",
        () -> backward.dkey(dkey).dvalue(call.operands().value()).backward(scope));
    assertThrows(IllegalStateException.class, call.gradients(c.dout())::run);
    Tensor value = c.value();
    LowRankCall over =
        attention
            .call(c.query(), c.key(), value, projection, projection)
            .out(scope.allocate(DType.FLOAT32, c.batch, c.queries, c.heads, c.valueDim));
    over.lse(value.reshape(value.elements()).slice(0, 0, 1).reshape(1, 1, 1));
    refused("lse shares memory with value", over::run);
  }

  /** Not even where both are one tensor. */
  @Test
  void whatIsWrittenIsNothingElse() {
    Tensor query = rows(9);
    Tensor key = rows(9);
    Tensor projection = scope.allocate(DType.FLOAT32, 3, 9);
    LowRankAttention attention = LowRankAttention.create();
    LowRankCall call = attention.call(query, key, key, projection, projection);
    refused("out shares memory with key", call.out(key)::run);
    Tensor projected = rows(3);
    refused(
        "projectedKey shares memory with projectedValue",
        attention.call(query, key, key, projection, projection, projected, projected).out(rows(9))
            ::run);
    call.out(rows(9)).lse(scope.allocate(DType.FLOAT32, 1, 2, 9)).run();
    LowRankBackward backward = call.gradients(rows(9)).dquery(rows(9)).dvalue(rows(9));
    refused("dkey shares memory with key", backward.dkey(key)::run);
    Tensor both = rows(9);
    refused("dkey shares memory with dvalue", backward.dkey(both).dvalue(both)::run);
    backward.dkey(both).dvalue(rows(9)).run();
  }

  private Tensor rows(int count) {
    return scope.allocate(DType.FLOAT32, 1, count, 2, 4);
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    LowRankAttention attention = LowRankAttention.create();
    assertEquals(attention, LowRankAttention.of(Attention.create()));
    assertSame(attention, attention.eval());
    LowRankAttention dropping = LowRankAttention.of(Attention.builder().dropout(0.5).build());
    assertEquals(attention, dropping.eval());
    LowRankCase c = new LowRankCase(scope, 3);
    String text = c.call().toString();
    assertTrue(text.startsWith("LowRankCall[query "), text);
    assertEquals(3, c.call().out(c.dout()).plans().size());
  }
}

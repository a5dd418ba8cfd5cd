package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionPoolingTest {
  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  /** Operands of a case, and where its results go; what nobody may read is NaN. */
  private final class Case {
    final Random random;
    final boolean packed;
    final int batch;
    final int width; // of the longest sequence
    final int[] lengths;
    final int[] first; // row of each sequence
    final int rows;
    final PoolingOracle oracle;
    final float[] dout;

    Case(long seed, boolean additive, boolean packed) {
      random = new Random(seed);
      this.packed = packed;
      batch = 1 + random.nextInt(4);
      width = 1 + random.nextInt(20);
      lengths = random.ints(batch, 0, width + 1).toArray();
      lengths[0] = width;
      first = new int[batch + 1];
      for (int b = 0; b < batch; b++) {
        first[b + 1] = first[b] + (packed ? lengths[b] : width);
      }
      rows = first[batch];
      int keyHeads = 1 + random.nextInt(2);
      int heads = keyHeads * (1 + random.nextInt(2));
      int dim = 1 + random.nextInt(24);
      int valueDim = 1 + random.nextInt(24);
      oracle = new PoolingOracle(heads, dim, valueDim, 1, additive);
      oracle.keyHeads = keyHeads;
      oracle.query = floats(heads * dim);
      oracle.weight = floats(heads * dim);
      oracle.bias = floats(heads * dim);
      oracle.key = padded(keyHeads * dim);
      oracle.value = padded(keyHeads * valueDim);
      dout = floats(batch * heads * valueDim);
      oracle.allocate(batch, rows, width);
      for (int b = 0; b < batch; b++) {
        oracle.sequence(b, first[b], lengths[b], width, dout);
      }
    }

    private float[] floats(int count) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return values;
    }

    private float[] padded(int row) {
      float[] values = floats(rows * row);
      for (int b = 0; b < batch; b++) {
        Arrays.fill(values, (first[b] + lengths[b]) * row, first[b + 1] * row, Float.NaN);
      }
      return values;
    }

    /** [B, S, Hk, n], or packed [T, Hk, n]. */
    Tensor ofRows(float[] values, int columns) {
      return packed
          ? scope.copyOf(values, rows, oracle.keyHeads, columns)
          : scope.copyOf(values, batch, width, oracle.keyHeads, columns);
    }

    Tensor ofHeads(float[] values) {
      return scope.copyOf(values, oracle.heads, oracle.dim);
    }

    PoolingCall call() {
      Tensor query = ofHeads(oracle.query);
      Tensor key = ofRows(oracle.key, oracle.dim);
      Tensor value = ofRows(oracle.value, oracle.valueDim);
      Tensor[] parameters =
          oracle.additive
              ? new Tensor[] {ofHeads(oracle.weight), ofHeads(oracle.bias)}
              : new Tensor[0];
      AttentionPooling pooling =
          oracle.additive ? AttentionPooling.additive() : AttentionPooling.dot();
      return packed
          ? pooling.packed(query, key, value, scope.copyOf(first, first.length), width, parameters)
          : pooling
              .call(query, key, value, parameters)
              .lengths(scope.copyOf(lengths, lengths.length));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1,false,false", "2,false,false", "3,false,false", "4,false,false", "5,false,false",
    "6,false,true", "7,false,true", "8,false,true", "9,false,true", "10,false,true",
    "11,true,false", "12,true,false", "13,true,false", "14,true,false", "15,true,false",
    "16,true,true", "17,true,true", "18,true,true", "19,true,true", "20,true,true"
  })
  void isTheFormula(long seed, boolean additive, boolean packed) {
    Case c = new Case(seed, additive, packed);
    PoolingOracle o = c.oracle;
    Tensor out = scope.allocate(DType.FLOAT32, c.batch, o.heads, o.valueDim).fill(Float.NaN);
    Tensor lse =
        packed
            ? scope.allocate(DType.FLOAT32, o.heads, c.batch)
            : scope.allocate(DType.FLOAT32, c.batch, o.heads);
    lse.fill(Float.NaN);
    Tensor weights = scope.allocate(DType.FLOAT32, c.batch, o.heads, c.width);
    PoolingCall call = c.call().out(out).lse(lse).weights(weights);
    call.run();
    o.out.check("out", out.toFloatArray());
    o.weights.check("weights", weights.toFloatArray());
    float[] logs = (packed ? lse.transpose(0, 1) : lse).toFloatArray();
    for (int i = 0; i < logs.length; i++) {
      if (o.lse.value[i] == Double.NEGATIVE_INFINITY) {
        assertEquals(Float.NEGATIVE_INFINITY, logs[i]);
        o.lse.value[i] = logs[i] = 0;
      }
    }
    o.lse.check("lse", logs);
    assertArrayEquals(out.toFloatArray(), c.call().forward(scope).toFloatArray());

    Tensor dquery = scope.allocate(DType.FLOAT32, o.heads, o.dim).fill(Float.NaN);
    Tensor dkey = c.ofRows(new float[o.key.length], o.dim).fill(Float.NaN);
    Tensor dvalue = c.ofRows(new float[o.value.length], o.valueDim).fill(Float.NaN);
    PoolingBackward backward =
        call.gradients(scope.copyOf(c.dout, c.batch, o.heads, o.valueDim))
            .dquery(dquery)
            .dkey(dkey)
            .dvalue(dvalue);
    Tensor dweight = scope.allocate(DType.FLOAT32, o.heads, o.dim);
    Tensor dbias = scope.allocate(DType.FLOAT32, o.heads, o.dim);
    if (additive) {
      backward.dweight(dweight).dbias(dbias);
    }
    backward.run();
    o.dquery.check("dquery", dquery.toFloatArray());
    o.dkey.check("dkey", dkey.toFloatArray());
    o.dvalue.check("dvalue", dvalue.toFloatArray());
    if (additive) {
      o.dweight.check("dweight", dweight.toFloatArray());
      o.dbias.check("dbias", dbias.toFloatArray());
    }

    // Twice as much, but for the rounding of the first.
    float[] once = dquery.toFloatArray();
    backward.accumulate(true).run();
    for (int i = 0; i < once.length; i++) {
      assertEquals(
          2 * once[i],
          dquery.getFloat(i / o.dim, i % o.dim),
          2 * PoolingOracle.U * Math.abs(once[i]));
    }
  }

  @Test
  void theGradientOfTheQueryMayHaveAnotherTypeThanThatOfTheKey() {
    Case c = new Case(3, false, false);
    PoolingOracle o = c.oracle;
    Tensor lse = scope.allocate(DType.FLOAT32, c.batch, o.heads);
    PoolingCall call =
        c.call().out(scope.allocate(DType.FLOAT32, c.batch, o.heads, o.valueDim)).lse(lse);
    call.run();
    Tensor dquery = scope.allocate(DType.FLOAT32, o.heads, o.dim);
    Tensor half = scope.allocate(DType.BFLOAT16, o.heads, o.dim);
    PoolingBackward backward =
        call.gradients(scope.copyOf(c.dout, c.batch, o.heads, o.valueDim))
            .dkey(c.ofRows(new float[o.key.length], o.dim))
            .dvalue(c.ofRows(new float[o.value.length], o.valueDim));
    backward.dquery(dquery).run();
    backward.dquery(half).run();
    assertArrayEquals(dquery.to(scope, DType.BFLOAT16).toFloatArray(), half.toFloatArray());
  }

  @Test
  void refusesWhatDoesNotFit() {
    Tensor query = scope.allocate(DType.FLOAT32, 2, 8);
    Tensor key = scope.allocate(DType.FLOAT32, 3, 5, 2, 8);
    Tensor value = scope.allocate(DType.FLOAT32, 3, 5, 2, 4);
    AttentionPooling dot = AttentionPooling.dot();
    assertEquals(
        "query has shape [3, 5, 2, 8], expected [H, D] = [any, any]",
        refusal(() -> dot.call(key, key, value)));
    assertEquals(
        "parameters are 1, expected none: pooling by a product has a query alone",
        refusal(() -> dot.call(query, key, value, query)));
    assertEquals(
        "parameters are 0, expected a weight, or a weight and a bias",
        refusal(() -> AttentionPooling.additive().call(query, key, value)));
    PoolingCall call = dot.call(query, key, value);
    assertEquals(
        "weights is FLOAT32[2, 8] on cpu, expected [B, H, S]", refusal(() -> call.weights(query)));
    PoolingBackward backward = call.gradients(scope.allocate(DType.FLOAT32, 3, 2, 4));
    assertEquals(
        "dweight is set, but pooling by a product has none",
        refusal(() -> backward.dweight(query)));
    assertEquals(
        "dquery has shape [3, 5, 2, 8], expected that of query = [2, 8]",
        refusal(() -> backward.dquery(key)));
    assertEquals(
        "dquery is not set: a backward pass writes it",
        assertThrows(IllegalStateException.class, backward::run).getMessage());
    backward.dquery(query).dkey(key).dvalue(value);
    assertEquals(
        "dquery shares memory with query: what a run writes must not overlap any other operand",
        refusal(backward::run));
  }

  @Test
  void refusesAGradientOfTheQueryOverWhatIsReadOrWritten() {
    Tensor query = scope.allocate(DType.FLOAT32, 2, 8);
    Tensor key = scope.allocate(DType.FLOAT32, 3, 5, 2, 8);
    Tensor value = scope.allocate(DType.FLOAT32, 3, 5, 2, 8);
    Tensor out = scope.allocate(DType.FLOAT32, 3, 2, 8);
    Tensor dout = scope.allocate(DType.FLOAT32, 3, 2, 8);
    Tensor dkey = scope.allocate(DType.FLOAT32, 3, 5, 2, 8);
    Tensor dvalue = scope.allocate(DType.FLOAT32, 3, 5, 2, 8);
    PoolingCall call =
        AttentionPooling.dot()
            .call(query, key, value)
            .out(out)
            .lse(scope.allocate(DType.FLOAT32, 3, 2));
    call.run();
    PoolingBackward backward = call.gradients(dout).dkey(dkey).dvalue(dvalue);
    Map<String, Tensor> others =
        Map.of(
            "query",
            query,
            "key",
            key.slice(0, 0, 1).squeeze(0).slice(0, 0, 1).squeeze(0), //
            "value",
            value.slice(0, 2, 3).squeeze(0).slice(0, 4, 5).squeeze(0), //
            "out",
            out.slice(0, 1, 2).squeeze(0),
            "dout",
            dout.slice(0, 2, 3).squeeze(0), //
            "dkey",
            dkey.slice(0, 0, 1).squeeze(0).slice(0, 1, 2).squeeze(0), //
            "dvalue",
            dvalue.slice(0, 1, 2).squeeze(0).slice(0, 1, 2).squeeze(0));
    others.forEach(
        (name, tensor) -> {
          backward.dquery(tensor);
          String refusal = refusal(backward::run);
          assertTrue(refusal.startsWith("dquery shares memory with " + name + ":"), refusal);
        });
    backward.dquery(scope.allocate(DType.FLOAT32, 2, 8)).run();
  }

  private static String refusal(Runnable action) {
    return assertThrows(IllegalArgumentException.class, action::run).getMessage();
  }
}

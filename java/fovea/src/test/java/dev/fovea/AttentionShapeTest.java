package dev.fovea;

import static dev.fovea.Specs.assertStrides;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Shapes: what a builder takes, and what of it reaches the planner. */
class AttentionShapeTest {
  @Test
  void shapesReachTheSpec() {
    AttentionShape shape =
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64)
            .valueHeadDim(32)
            .lse()
            .weights()
            .bias(DType.FLOAT16, 1, 3, 2)
            .alibiSlopes(8, 1)
            .sinks()
            .queryLengths()
            .keyLengths()
            .build();
    MemorySegment spec = Specs.of(shape);
    assertEquals(0, FoveaAttentionSpec.PACKED.get(spec));
    assertEquals(2, FoveaAttentionSpec.BATCH.get(spec));
    assertEquals(3, FoveaAttentionSpec.QUERY_LENGTH.get(spec));
    assertEquals(5, FoveaAttentionSpec.KEY_LENGTH.get(spec));
    assertEquals(8, FoveaAttentionSpec.QUERY_HEADS.get(spec));
    assertEquals(4, FoveaAttentionSpec.KEY_HEADS.get(spec));
    assertEquals(64, FoveaAttentionSpec.HEAD_DIM.get(spec));
    assertEquals(32, FoveaAttentionSpec.VALUE_HEAD_DIM.get(spec));
    assertEquals(Abi.FLOAT16, FoveaAttentionSpec.BIAS_DTYPE.get(spec));
    assertStrides(spec, FoveaAttentionSpec.QUERY_STRIDE, 3 * 8 * 64, 8 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.KEY_STRIDE, 5 * 4 * 64, 4 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.VALUE_STRIDE, 5 * 4 * 32, 4 * 32, 32);
    assertStrides(spec, FoveaAttentionSpec.OUT_STRIDE, 3 * 8 * 32, 8 * 32, 32);
    assertStrides(spec, FoveaAttentionSpec.LSE_STRIDE, 8 * 3, 3);
    assertStrides(spec, FoveaAttentionSpec.BIAS_STRIDE, 1, 3, 2); // batch, head, position
    assertStrides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, 8 * 3 * 5, 3 * 5, 5);
    assertStrides(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, 8, 1);
    for (var flag :
        Set.of(
            FoveaAttentionSpec.HAS_ALIBI_SLOPES,
            FoveaAttentionSpec.HAS_SINKS,
            FoveaAttentionSpec.HAS_QUERY_LENGTHS,
            FoveaAttentionSpec.HAS_KEY_LENGTHS,
            FoveaAttentionSpec.HAS_LSE,
            FoveaAttentionSpec.HAS_WEIGHTS)) {
      assertEquals(1, flag.get(spec));
    }
  }

  @Test
  void packedShapesReachTheSpec() {
    AttentionShape shape =
        AttentionShape.packed(DType.FLOAT16, 3, 10, 20, 25, 50, 8, 2, 64).lse().weights().build();
    MemorySegment spec = Specs.of(shape);
    assertEquals(1, FoveaAttentionSpec.PACKED.get(spec));
    assertEquals(3, FoveaAttentionSpec.BATCH.get(spec));
    assertEquals(10, FoveaAttentionSpec.QUERY_LENGTH.get(spec));
    assertEquals(20, FoveaAttentionSpec.KEY_LENGTH.get(spec));
    assertEquals(25, FoveaAttentionSpec.QUERY_TOTAL.get(spec));
    assertEquals(50, FoveaAttentionSpec.KEY_TOTAL.get(spec));
    assertStrides(spec, FoveaAttentionSpec.QUERY_STRIDE, 0, 8 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.KEY_STRIDE, 0, 2 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.LSE_STRIDE, 0, 25);
    assertStrides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, 0, 25 * 20, 20);
  }

  private static AttentionShape.Builder backward() {
    return AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64)
        .valueHeadDim(32)
        .lse()
        .weights()
        .backward();
  }

  @Test
  void gradientsReachTheSpec() {
    MemorySegment spec = Specs.of(backward().build());
    assertEquals(1, FoveaAttentionSpec.HAS_LSE.get(spec));
    assertEquals(Abi.BACKWARD, FoveaAttentionSpec.PASS.get(spec));
    assertEquals(0, FoveaAttentionSpec.HAS_WEIGHTS.get(spec));
    assertStrides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, 0, 0, 0);
    assertEquals(0, FoveaAttentionSpec.GRADIENT_DTYPE.get(spec)); // that of query
    List<Field.Int32> flags =
        List.of(
            FoveaAttentionSpec.DETERMINISTIC,
            FoveaAttentionSpec.ACCUMULATE,
            FoveaAttentionSpec.HAS_DBIAS,
            FoveaAttentionSpec.HAS_DALIBI_SLOPES,
            FoveaAttentionSpec.HAS_DSINKS);
    flags.forEach(flag -> assertEquals(0, flag.get(spec)));
    assertStrides(spec, FoveaAttentionSpec.DOUT_STRIDE, 3 * 8 * 32, 8 * 32, 32);
    assertStrides(spec, FoveaAttentionSpec.DQUERY_STRIDE, 3 * 8 * 64, 8 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.DKEY_STRIDE, 5 * 4 * 64, 4 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.DVALUE_STRIDE, 5 * 4 * 32, 4 * 32, 32);

    List<UnaryOperator<AttentionShape.Builder>> changes =
        List.of(
            AttentionShape.Builder::deterministic,
            AttentionShape.Builder::accumulate,
            b -> b.dbias(1, 3, 2),
            b -> b.dalibiSlopes(8, 1),
            AttentionShape.Builder::dsinks);
    for (int i = 0; i < changes.size(); i++) {
      MemorySegment changed = Specs.of(changes.get(i).apply(backward()).build());
      for (int j = 0; j < flags.size(); j++) {
        assertEquals(i == j ? 1 : 0, flags.get(j).get(changed), "flag " + j);
      }
      boolean bias = i == 2;
      assertStrides(
          changed,
          FoveaAttentionSpec.DBIAS_STRIDE, // batch, head, position
          bias ? 1 : 0,
          bias ? 3 : 0,
          bias ? 2 : 0);
      assertStrides(
          changed, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, i == 3 ? 8 : 0, i == 3 ? 1 : 0);
    }
  }

  @Test
  void packedGradientsReachTheSpec() {
    MemorySegment spec =
        Specs.of(
            AttentionShape.packed(DType.FLOAT16, 3, 10, 20, 25, 50, 8, 2, 64)
                .lse()
                .backward(DType.FLOAT32)
                .dout(0, 1, 2)
                .dvalue(0, 3, 4)
                .build());
    assertEquals(Abi.FLOAT32, FoveaAttentionSpec.GRADIENT_DTYPE.get(spec));
    assertStrides(spec, FoveaAttentionSpec.DOUT_STRIDE, 0, 1, 2);
    assertStrides(spec, FoveaAttentionSpec.DQUERY_STRIDE, 0, 8 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.DKEY_STRIDE, 0, 2 * 64, 64);
    assertStrides(spec, FoveaAttentionSpec.DVALUE_STRIDE, 0, 3, 4);
  }

  @Test
  void stridesThatAreSetReachTheSpec() {
    MemorySegment spec =
        Specs.of(
            AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64)
                .query(1, 2, 3)
                .key(4, 5, 6)
                .value(7, 8, 9)
                .out(10, 11, 12)
                .lse(13, 14)
                .weights(15, 16, 17)
                .build());
    assertStrides(spec, FoveaAttentionSpec.QUERY_STRIDE, 1, 2, 3);
    assertStrides(spec, FoveaAttentionSpec.KEY_STRIDE, 4, 5, 6);
    assertStrides(spec, FoveaAttentionSpec.VALUE_STRIDE, 7, 8, 9);
    assertStrides(spec, FoveaAttentionSpec.OUT_STRIDE, 10, 11, 12);
    assertStrides(spec, FoveaAttentionSpec.LSE_STRIDE, 13, 14);
    assertStrides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, 15, 16, 17);
    spec = Specs.of(backward().dquery(1, 2, 3).dkey(4, 5, 6).build());
    assertStrides(spec, FoveaAttentionSpec.DQUERY_STRIDE, 1, 2, 3);
    assertStrides(spec, FoveaAttentionSpec.DKEY_STRIDE, 4, 5, 6);
  }

  @Test
  void asManyStridesAsTheOperandHas() {
    AttentionShape.Builder shape = AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64);
    assertRefused("strides are [1, 2], expected 3 of them", () -> shape.query(1, 2));
    assertRefused("strides are [1, 2, 3], expected 2 of them", () -> shape.lse(1, 2, 3));
    assertRefused("strides are [], expected 3 of them", () -> shape.bias(DType.FLOAT32));
    assertRefused("strides are [1], expected 2 of them", () -> shape.dalibiSlopes(1));
    assertRefused(
        "dtype is INT32, expected a floating type", () -> shape.bias(DType.INT32, 1, 2, 3));
    assertThrows(NullPointerException.class, () -> AttentionShape.dense(null, 1, 1, 1, 1, 1, 1));
  }

  private static void assertRefused(String expected, Executable code) {
    assertEquals(expected, assertThrows(IllegalArgumentException.class, code).getMessage());
  }

  /** A builder may go on: what it has built stays as it is. */
  @Test
  void aShapeIsAValue() {
    List<UnaryOperator<AttentionShape.Builder>> changes =
        List.of(
            b -> b,
            b -> b.valueHeadDim(32),
            b -> b.query(0, 64, 64),
            b -> b.key(0, 64, 64),
            b -> b.value(0, 64, 64),
            b -> b.out(1, 2, 3),
            AttentionShape.Builder::lse,
            b -> b.lse(100, 3),
            AttentionShape.Builder::weights,
            b -> b.bias(DType.FLOAT32, 0, 0, 0),
            b -> b.bias(DType.FLOAT16, 0, 0, 0),
            b -> b.alibiSlopes(0, 1),
            AttentionShape.Builder::sinks,
            AttentionShape.Builder::queryLengths,
            AttentionShape.Builder::keyLengths,
            AttentionShape.Builder::backward,
            b -> b.backward(DType.FLOAT32),
            b -> b.dvalue(1, 2, 3),
            b -> b.dbias(0, 0, 0),
            b -> b.dalibiSlopes(0, 1),
            AttentionShape.Builder::dsinks,
            AttentionShape.Builder::accumulate,
            AttentionShape.Builder::deterministic);
    for (int i = 0; i < changes.size(); i++) {
      AttentionShape.Builder builder = AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64);
      AttentionShape before = builder.build();
      AttentionShape one = changes.get(i).apply(builder).build();
      assertEquals(AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64).build(), before);
      for (int j = 0; j < changes.size(); j++) {
        AttentionShape other =
            changes.get(j).apply(AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64)).build();
        if (i == j) {
          assertEquals(one, other);
          assertEquals(one.hashCode(), other.hashCode());
          assertEquals(one.toString(), other.toString());
        } else {
          assertNotEquals(one, other);
        }
      }
    }
    assertNotEquals(
        AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64).build(),
        AttentionShape.packed(DType.BFLOAT16, 2, 3, 5, 0, 0, 8, 4, 64).build());
  }

  /** Dense strides may be given or left out, and weights have no part in a backward pass. */
  @Test
  void whatMakesNoDifference() {
    assertEquals(
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64).lse().build(),
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64)
            .lse(24, 3)
            .query(3 * 8 * 64, 8 * 64, 64)
            .build());
    assertEquals(
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64).lse().backward().build(),
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64)
            .lse()
            .backward()
            .weights(1, 2, 3)
            .build());
    assertEquals(
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64).lse().backward().dsinks().build(),
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64).dsinks().lse().build());
  }

  @Test
  void itsTextIsSizesAndWhatIsThere() {
    assertEquals(
        "AttentionShape[B 2, Sq 3, Sk 5, Hq 8, Hk 4, D 64, Dv 32, FLOAT32]",
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64).valueHeadDim(32).build().toString());
    assertEquals(
        "AttentionShape[B 2, Sq 3, Sk 5, Hq 8, Hk 4, D 64, Dv 64, BFLOAT16, backward, bias,"
            + " alibiSlopes, keyLengths, lse, dbias]",
        AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64)
            .lse()
            .bias(DType.FLOAT32, 0, 0, 5)
            .alibiSlopes(0, 1)
            .keyLengths()
            .weights()
            .dbias(0, 0, 5)
            .build()
            .toString());
    assertEquals(
        "AttentionShape[B 3, Sq 10, Tq 25, Sk 20, Tk 50, Hq 8, Hk 2, D 64, Dv 64, FLOAT16,"
            + " cuSeqlensQ, cuSeqlensK]",
        AttentionShape.packed(DType.FLOAT16, 3, 10, 20, 25, 50, 8, 2, 64).build().toString());
  }
}

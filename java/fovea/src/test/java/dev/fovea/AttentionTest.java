package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention.Alignment;
import dev.fovea.AttentionShape.Strides;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Specs: what a builder takes, and what of it reaches the planner. */
class AttentionTest {
  private static void assertRefused(String text, Executable code) {
    String message = assertThrows(IllegalArgumentException.class, code).getMessage();
    assertTrue(message.contains(text), message);
  }

  @Test
  void attentionIsAValue() {
    List<UnaryOperator<Attention.Builder>> changes =
        List.of(
            b -> b,
            Attention.Builder::causal,
            b -> b.alignment(Alignment.TOP_LEFT),
            b -> b.window(3, Attention.UNBOUNDED),
            b -> b.window(Attention.UNBOUNDED, 3),
            b -> b.scale(0.5),
            b -> b.scale(0),
            b -> b.softcap(30),
            b -> b.dropout(0.1),
            b -> b.outDType(DType.FLOAT32),
            b -> b.allowTf32(true));
    for (int i = 0; i < changes.size(); i++) {
      for (int j = 0; j < changes.size(); j++) {
        Attention one = changes.get(i).apply(Attention.builder()).build();
        Attention other = changes.get(j).apply(Attention.create().toBuilder()).build();
        if (i == j) {
          assertEquals(one, other);
          assertEquals(one.hashCode(), other.hashCode());
          assertEquals(one.toString(), other.toString());
          assertEquals(one, one.toBuilder().build());
        } else {
          assertNotEquals(one, other);
          assertNotEquals(one.toString(), other.toString());
        }
      }
    }
    assertEquals("Attention[mask=none]", Attention.create().toString());
    assertEquals(
        "Attention[mask=causal window(128, 0), alignment=TOP_LEFT, scale=0.5, softcap=30.0,"
            + " dropout=0.25, out=FLOAT32, TF32 allowed]",
        Attention.builder()
            .causal(Alignment.TOP_LEFT)
            .window(128, 0)
            .scale(0.5)
            .softcap(30)
            .dropout(0.25)
            .outDType(DType.FLOAT32)
            .allowTf32(true)
            .build()
            .toString());
    assertEquals(Attention.create(), Attention.builder().allowTf32(true).allowTf32(false).build());
  }

  @Test
  void badNumbersAreRefused() {
    Attention.Builder builder = Attention.builder();
    assertRefused("left is -2", () -> builder.window(-2, 0));
    assertRefused("right is -2", () -> builder.window(0, -2));
    assertRefused("scale is NaN", () -> builder.scale(Double.NaN));
    assertRefused("scale is 1.0E300", () -> builder.scale(1e300));
    assertRefused("softcap is -1.0", () -> builder.softcap(-1));
    assertRefused("softcap is NaN", () -> builder.softcap(Double.NaN));
    assertRefused("softcap is Infinity", () -> builder.softcap(Double.POSITIVE_INFINITY));
    assertRefused("softcap is 1.0E-300", () -> builder.softcap(1e-300)); // would switch it off
    assertRefused("dropout is -0.1", () -> builder.dropout(-0.1));
    assertRefused("dropout is 1.0", () -> builder.dropout(1));
    assertRefused("dropout is NaN", () -> builder.dropout(Double.NaN));
    assertRefused("dropout is 0.999999", () -> builder.dropout(0.999999)); // rounds to all
    builder.dropout(65535 / 65536.0);
    assertRefused("outDType is INT32", () -> builder.outDType(DType.INT32));
    assertThrows(NullPointerException.class, () -> builder.alignment(null));
  }

  @Test
  void optionsReachTheSpec() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      AttentionShape shape = AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64).build();
      SpecBlock.fill(spec, Attention.create().options(), shape);
      assertEquals(Abi.BFLOAT16, FoveaAttentionSpec.DTYPE.get(spec));
      assertEquals(0, FoveaAttentionSpec.OUT_DTYPE.get(spec));
      assertEquals(0, FoveaAttentionSpec.HAS_SCALE.get(spec));
      assertEquals(0, FoveaAttentionSpec.HAS_WINDOW_LEFT.get(spec));
      assertEquals(0, FoveaAttentionSpec.HAS_WINDOW_RIGHT.get(spec));
      assertEquals(0, FoveaAttentionSpec.ALLOW_TF32.get(spec));

      Attention attention =
          Attention.builder()
              .causal(Alignment.TOP_LEFT)
              .window(7, 0)
              .scale(0)
              .softcap(30)
              .dropout(0.25)
              .outDType(DType.FLOAT32)
              .allowTf32(true)
              .build();
      SpecBlock.fill(spec, attention.options(), shape);
      assertEquals(Abi.FLOAT32, FoveaAttentionSpec.OUT_DTYPE.get(spec));
      assertEquals(1, FoveaAttentionSpec.CAUSAL.get(spec));
      assertEquals(Abi.TOP_LEFT, FoveaAttentionSpec.ALIGNMENT.get(spec));
      assertEquals(1, FoveaAttentionSpec.HAS_WINDOW_LEFT.get(spec));
      assertEquals(7, FoveaAttentionSpec.WINDOW_LEFT.get(spec));
      assertEquals(1, FoveaAttentionSpec.HAS_WINDOW_RIGHT.get(spec));
      assertEquals(0, FoveaAttentionSpec.WINDOW_RIGHT.get(spec));
      assertEquals(1, FoveaAttentionSpec.HAS_SCALE.get(spec));
      assertEquals(0, FoveaAttentionSpec.SCALE.get(spec));
      assertEquals(30, FoveaAttentionSpec.SOFTCAP.get(spec));
      assertEquals(0.25f, FoveaAttentionSpec.DROPOUT.get(spec));
      assertEquals(1, FoveaAttentionSpec.ALLOW_TF32.get(spec));
    }
  }

  @Test
  void shapesReachTheSpec() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      AttentionShape shape =
          AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 8, 4, 64)
              .valueHeadDim(32)
              .lse()
              .weights()
              .bias(DType.FLOAT16, new Strides(1, 2, 3))
              .alibiSlopes(new Strides(8, 0, 1))
              .sinks()
              .queryLengths()
              .keyLengths()
              .build();
      SpecBlock.fill(spec, Attention.create().options(), shape);
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
  }

  @Test
  void packedShapesReachTheSpec() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      AttentionShape shape =
          AttentionShape.packed(DType.FLOAT16, 3, 10, 20, 25, 50, 8, 2, 64).lse().weights().build();
      SpecBlock.fill(spec, Attention.create().options(), shape);
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
  }

  @Test
  void gradientsReachTheirBlock() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      AttentionShape shape =
          AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64)
              .valueHeadDim(32)
              .lse()
              .weights()
              .build();
      SpecBlock.fill(
          spec, Attention.create().options(), shape, AttentionGradientShape.dense(shape).build());
      assertEquals(1, FoveaAttentionSpec.HAS_LSE.get(spec));
      assertEquals(Abi.BACKWARD, FoveaAttentionSpec.PASS.get(spec));
      assertEquals(0, FoveaAttentionSpec.HAS_WEIGHTS.get(spec));
      assertStrides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, 0, 0, 0);
      assertEquals(Abi.BFLOAT16, FoveaAttentionSpec.GRADIENT_DTYPE.get(spec));
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

      List<UnaryOperator<AttentionGradientShape.Builder>> changes =
          List.of(
              AttentionGradientShape.Builder::deterministic,
              AttentionGradientShape.Builder::accumulate,
              b -> b.dbias(new Strides(1, 2, 3)),
              b -> b.dalibiSlopes(new Strides(8, 0, 1)),
              AttentionGradientShape.Builder::dsinks);
      for (int i = 0; i < changes.size(); i++) {
        MemorySegment changed = FoveaAttentionSpec.allocate(arena);
        SpecBlock.fill(
            changed,
            Attention.create().options(),
            shape,
            changes.get(i).apply(AttentionGradientShape.dense(shape)).build());
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
  }

  @Test
  void packedGradientsReachTheirBlock() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = FoveaAttentionSpec.allocate(arena);
      AttentionShape shape =
          AttentionShape.packed(DType.FLOAT16, 3, 10, 20, 25, 50, 8, 2, 64).lse().build();
      AttentionGradientShape gradients =
          AttentionGradientShape.dense(shape)
              .dtype(DType.FLOAT32)
              .dout(new Strides(0, 1, 2))
              .dvalue(new Strides(0, 3, 4))
              .build();
      SpecBlock.fill(block, Attention.create().options(), shape, gradients);
      assertEquals(Abi.FLOAT32, FoveaAttentionSpec.GRADIENT_DTYPE.get(block));
      assertStrides(block, FoveaAttentionSpec.DOUT_STRIDE, 0, 1, 2);
      assertStrides(block, FoveaAttentionSpec.DQUERY_STRIDE, 0, 8 * 64, 64);
      assertStrides(block, FoveaAttentionSpec.DKEY_STRIDE, 0, 2 * 64, 64);
      assertStrides(block, FoveaAttentionSpec.DVALUE_STRIDE, 0, 3, 4);
    }
  }

  private static void assertStrides(MemorySegment block, Field.Int64Array field, long... expected) {
    assertEquals(expected.length, field.length());
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], field.get(block, i), "stride " + i);
    }
  }
}

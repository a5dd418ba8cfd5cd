package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention.Alignment;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.MemorySegment;
import java.util.List;
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
            + " TF32 allowed, dropout=0.25, out=FLOAT32]",
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
    AttentionShape shape = AttentionShape.dense(DType.BFLOAT16, 2, 3, 5, 8, 4, 64).build();
    MemorySegment spec = Specs.of(Attention.create(), shape);
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
    spec = Specs.of(attention, shape);
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

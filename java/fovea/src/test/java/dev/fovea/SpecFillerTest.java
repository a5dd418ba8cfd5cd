package dev.fovea;

import static dev.fovea.SmallOperands.dense;
import static dev.fovea.SmallOperands.floats;
import static dev.fovea.SmallOperands.ints;
import static dev.fovea.SmallOperands.of;
import static dev.fovea.SmallOperands.packed;
import static dev.fovea.SmallOperands.tensor;
import static dev.fovea.Specs.assertStrides;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Operands that do not fit together are named, with what they are and what was expected. */
class SpecFillerTest {
  private static final Attention.Options PLAIN = Attention.create().options();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  private static AttentionPlan plan(Bindings operands) {
    return AttentionPlan.of(PLAIN, operands.of(Abi.FORWARD));
  }

  private static void assertRefused(String text, Bindings operands) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> plan(operands)).getMessage();
    assertTrue(message.contains(text), message);
  }

  private static void assertDenseRefused(String text, Consumer<Bindings> change) {
    Bindings operands = dense();
    change.accept(operands);
    assertRefused(text, operands);
  }

  private static void assertPackedRefused(String text, Consumer<Bindings> change) {
    Bindings operands = packed();
    change.accept(operands);
    assertRefused(text, operands);
  }

  @Test
  void denseOperands() {
    MemorySegment spec = Specs.forward(dense());
    Specs.assertSame(
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8).valueHeadDim(6).build(), spec);
    assertEquals(0, FoveaAttentionSpec.HAS_LSE.get(spec));
    assertEquals(0, FoveaAttentionSpec.BIAS_DTYPE.get(spec));
  }

  private static Tensor bools(long... shape) {
    return tensor(DType.BOOL, shape);
  }

  @Test
  void everyOptionalOperand() {
    Bindings operands = dense();
    operands.set("bias", tensor(DType.FLOAT16, 1, 4, 1, 5));
    operands.set("mask", tensor(DType.BOOL, 2, 1, 3, 5));
    operands.set("relative_table", floats(7, 4).permute(1, 0));
    operands.set("relative_buckets", ints(9));
    operands.set("block_offsets", ints(1, 4, 3));
    operands.set("block_indices", ints(1, 6));
    operands.set("alibi_slopes", floats(4));
    operands.set("key_gates", floats(4, 5));
    operands.set("output_gates", tensor(DType.BFLOAT16, 2, 3, 4, 1));
    operands.set("sinks", floats(4));
    operands.set("query_lengths", ints(2));
    operands.set("key_lengths", ints(2));
    operands.set("lse", floats(2, 4, 3));
    operands.set("weights", floats(2, 4, 3, 5));
    operands.set("ungated", floats(2, 3, 4, 6));
    AttentionShape expected =
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8)
            .valueHeadDim(6)
            .bias(DType.FLOAT16, 0, 5, 0)
            .mask(15, 0, 5)
            .relativeBias(7, 9, 1, 4)
            .blockMask(3, 6, 0, 3, 0, 0)
            .alibiSlopes(0, 1)
            .keyGates(0, 5)
            .outputGates(DType.BFLOAT16, 12, 4, 1, 0)
            .sinks()
            .queryLengths()
            .keyLengths()
            .lse()
            .weights()
            .ungated()
            .build();
    Specs.assertSame(expected, Specs.forward(operands));
    operands.set("alibi_slopes", floats(2, 4));
    operands.set("bias", floats(2, 1, 3, 5));
    MemorySegment spec = Specs.forward(operands);
    assertStrides(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, 4, 1);
    assertStrides(spec, FoveaAttentionSpec.BIAS_STRIDE, 15, 0, 5); // batch, head, position
  }

  private static final String SWAPPED =
      ": is that [B, Hq, Sq, D]? permute(0, 2, 1, 3) makes it [B, Sq, Hq, D]";

  /** Told where all would fit with positions and heads the other way round, and only there. */
  @Test
  void headsBeforePositions() {
    // [B, H, S, D]: 8 heads, 6 queries, 4 or 64 keys
    Tensor query = floats(2, 8, 6, 4);
    assertRefused(
        "queryHeads is 6, expected a multiple of keyHeads, 4; query is [2, 8, 6, 4]" + SWAPPED,
        of(query, floats(2, 8, 4, 4), floats(2, 8, 4, 4), floats(2, 8, 6, 4)));
    assertRefused(
        "; query is [2, 8, 6, 4]" + SWAPPED,
        of(query, floats(2, 2, 64, 4), floats(2, 2, 64, 4), floats(2, 8, 6, 4)));
    Bindings operands = of(query, query, query, query);
    plan(operands); // nothing tells that these are not 6 heads
    operands.set("lse", floats(2, 8, 6));
    assertRefused(
        "lse has shape [2, 8, 6], expected [B, Hq, Sq] = [2, 6, 8]; query is [2, 8, 6, 4]"
            + SWAPPED,
        operands);
    operands.set("lse", null);
    operands.set("bias", floats(6, 6));
    assertRefused(SWAPPED, operands);
    // Nor would it help here.
    operands.set("bias", floats(7, 6));
    assertNotSwapped(operands);
    assertNotSwapped(of(query, floats(2, 3, 64, 4), floats(2, 3, 64, 4), floats(2, 8, 6, 4)));
    assertNotSwapped(of(query, floats(2, 4, 4, 4), floats(2, 4, 4), floats(2, 8, 6, 4)));
  }

  private static void assertNotSwapped(Bindings operands) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> plan(operands)).getMessage();
    assertFalse(message.contains("permute"), message);
  }

  @Test
  void packedOperands() {
    Bindings operands = packed();
    operands.set("lse", floats(4, 7));
    operands.set("weights", floats(4, 7, 9));
    operands.set("bias", floats(1, 7, 9));
    AttentionShape expected =
        AttentionShape.packed(DType.FLOAT32, 2, 4, 9, 7, 11, 4, 2, 8)
            .valueHeadDim(6)
            .lse()
            .weights()
            .bias(DType.FLOAT32, 0, 0, 9)
            .build();
    Specs.assertSame(expected, Specs.forward(operands));
  }

  @Test
  void anyStrideOrder() {
    // [B, H, S, D] memory
    Bindings operands =
        of(
            floats(2, 4, 3, 8).permute(0, 2, 1, 3),
            floats(2, 2, 5, 8).permute(0, 2, 1, 3),
            floats(5, 2, 2, 6).permute(1, 0, 2, 3),
            floats(2, 3, 4, 6));
    MemorySegment spec = Specs.forward(operands);
    assertStrides(spec, FoveaAttentionSpec.QUERY_STRIDE, 96, 8, 24);
    assertStrides(spec, FoveaAttentionSpec.KEY_STRIDE, 80, 8, 40);
    assertStrides(spec, FoveaAttentionSpec.VALUE_STRIDE, 12, 24, 6);
  }

  @Test
  void emptyAndSingleSizes() {
    plan(of(floats(0, 3, 4, 8), floats(0, 5, 2, 8), floats(0, 5, 2, 8), floats(0, 3, 4, 8)));
    plan(of(floats(2, 0, 4, 8), floats(2, 0, 2, 8), floats(2, 0, 2, 8), floats(2, 0, 4, 8)));
    // A last dimension of one element is contiguous whatever its stride.
    Tensor single = floats(2, 3, 4, 8).slice(3, 0, 1);
    plan(of(single, single, single, floats(2, 3, 4, 1)));
  }

  @Test
  void wrongShapes() {
    assertRefused(
        "query has shape [2, 3], expected [B, Sq, Hq, D] = [any, any, any, any]",
        of(floats(2, 3), floats(2, 5, 2, 8), floats(2, 5, 2, 8), floats(2, 3)));
    assertRefused(
        "query has rank 3: that is a packed batch, which needs cuSeqlens",
        of(floats(2, 3, 4), floats(2, 5, 2), floats(2, 5, 2), floats(2, 3, 4)));
    assertRefused(
        "key has shape [2, 5, 2, 9], expected [B, Sk, Hk, D] = [2, any, any, 8]",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 9), floats(2, 5, 2, 8), floats(2, 3, 4, 8)));
    assertRefused(
        "value has shape [2, 6, 2, 8], expected [B, Sk, Hk, Dv] = [2, 5, 2, any]",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 6, 2, 8), floats(2, 3, 4, 8)));
    assertRefused(
        "out has shape [2, 3, 4, 9], expected [B, Sq, Hq, Dv] = [2, 3, 4, 8]",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 8), floats(2, 3, 4, 9)));
    assertRefused(
        "queryHeads is 4, expected a multiple of keyHeads, 3",
        of(floats(2, 3, 4, 8), floats(2, 5, 3, 8), floats(2, 5, 3, 8), floats(2, 3, 4, 8)));
    assertRefused(
        "valueHeadDim is 0, expected 1 to 512",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 0), floats(2, 3, 4, 0)));
    assertDenseRefused("lse has shape [2, 3, 4]", o -> o.set("lse", floats(2, 3, 4)));
    assertDenseRefused("weights has shape [2, 4, 3, 6]", o -> o.set("weights", floats(2, 4, 3, 6)));
    assertDenseRefused(
        "bias has shape [2, 2, 3, 5], expected [B or 1, Hq or 1, Sq or 1, Sk] = [2, 4, 3, 5]",
        o -> o.set("bias", floats(2, 2, 3, 5)));
    assertDenseRefused("bias has shape [2, 4, 3, 1]", o -> o.set("bias", floats(2, 4, 3, 1)));
    assertDenseRefused(
        "bias has shape [2, 3, 5], expected [Hq or 1, Sq or 1, Sk] = [4, 3, 5]",
        o -> o.set("bias", floats(2, 3, 5)));
    assertDenseRefused(
        "bias has shape [2, 5], expected [Sq or 1, Sk] = [3, 5]", o -> o.set("bias", floats(2, 5)));
    for (long[] rank : new long[][] {{5}, {1, 2, 4, 3, 5}, {}}) {
      assertDenseRefused(
          "expected [B or 1, Hq or 1, Sq or 1, Sk] = [2, 4, 3, 5]",
          o -> o.set("bias", floats(rank)));
    }
    assertDenseRefused(
        "alibiSlopes has shape [3], expected [Hq or 1] = [4]",
        o -> o.set("alibi_slopes", floats(3)));
    assertDenseRefused(
        "alibiSlopes has shape [4, 1], expected [B or 1, Hq or 1] = [2, 4]",
        o -> o.set("alibi_slopes", floats(4, 1)));
    for (long[] rank : new long[][] {{1, 2, 4}, {}}) {
      assertDenseRefused(
          "expected [B or 1, Hq or 1] = [2, 4]", o -> o.set("alibi_slopes", floats(rank)));
    }
    assertDenseRefused("mask has shape [2, 4, 3, 1]", o -> o.set("mask", bools(2, 4, 3, 1)));
    assertDenseRefused(
        "relativeTable has shape [1, 7], expected [Hq, N] = [4, any]",
        o -> o.set("relative_table", floats(1, 7)));
    assertDenseRefused(
        "relativeBuckets has shape [4, 9], expected [W]",
        o -> o.set("relative_buckets", ints(4, 9)));
    assertDenseRefused(
        "blockOffsets has shape [4, 2, 3], expected [B or 1, Hq or 1, R]",
        o -> o.set("block_offsets", ints(4, 2, 3)));
    assertDenseRefused("keyGates has shape [4, 1]", o -> o.set("key_gates", floats(4, 1)));
    assertDenseRefused(
        "outputGates has shape [2, 3, 4, 5]", o -> o.set("output_gates", floats(2, 3, 4, 5)));
    assertDenseRefused("sinks has shape [2]", o -> o.set("sinks", floats(2)));
    assertDenseRefused("queryLengths has shape [3]", o -> o.set("query_lengths", ints(3)));
    assertDenseRefused("keyLengths has shape [2, 1]", o -> o.set("key_lengths", ints(2, 1)));
  }

  @Test
  void wrongPackedShapes() {
    assertPackedRefused("cuSeqlensQ is empty", o -> o.set("cu_seqlens_q", ints(0)));
    assertPackedRefused("cuSeqlensK has shape [4]", o -> o.set("cu_seqlens_k", ints(4)));
    assertPackedRefused("cuSeqlensQ is FLOAT32", o -> o.set("cu_seqlens_q", floats(3)));
    assertPackedRefused("lse has shape [7, 4]", o -> o.set("lse", floats(7, 4)));
    assertPackedRefused("weights has shape [4, 7, 8]", o -> o.set("weights", floats(4, 7, 8)));
    assertPackedRefused("bias has shape [4, 6, 9]", o -> o.set("bias", floats(4, 6, 9)));
    assertPackedRefused(
        "bias has shape [2, 9], expected [Tq or 1, longest Sk] = [7, 9]",
        o -> o.set("bias", floats(2, 9)));
    assertPackedRefused(
        "bias has shape [1, 4, 7, 9], expected [Hq or 1, Tq or 1, longest Sk] = [4, 7, 9]",
        o -> o.set("bias", floats(1, 4, 7, 9)));
    assertPackedRefused("out has shape [7, 4, 8]", o -> o.set("out", floats(7, 4, 8)));
    Bindings dense = dense();
    dense.set("cu_seqlens_q", ints(3));
    dense.set("cu_seqlens_k", ints(3));
    assertRefused("query has shape [2, 3, 4, 8], expected [Tq, Hq, D]", dense);
  }

  @Test
  void wrongTypes() {
    assertRefused(
        "query is INT32, expected a floating type",
        of(ints(2, 3, 4, 8), ints(2, 5, 2, 8), ints(2, 5, 2, 8), ints(2, 3, 4, 8)));
    Tensor half = tensor(DType.FLOAT16, 2, 5, 2, 8);
    assertRefused(
        "value is FLOAT16, expected FLOAT32",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), half, floats(2, 3, 4, 8)));
    assertDenseRefused(
        "out is FLOAT16, expected FLOAT32", o -> o.set("out", tensor(DType.FLOAT16, 2, 3, 4, 6)));
    assertDenseRefused("bias is INT32", o -> o.set("bias", ints(2, 4, 3, 5)));
    assertDenseRefused("lse is FLOAT16", o -> o.set("lse", tensor(DType.FLOAT16, 2, 4, 3)));
    assertDenseRefused("weights is INT32", o -> o.set("weights", ints(2, 4, 3, 5)));
    assertDenseRefused("mask is FLOAT32, expected BOOL", o -> o.set("mask", floats(2, 4, 3, 5)));
    assertDenseRefused("relativeTable is INT32", o -> o.set("relative_table", ints(4, 7)));
    assertDenseRefused("relativeBuckets is BOOL", o -> o.set("relative_buckets", bools(9)));
    assertDenseRefused("blockIndices is FLOAT32", o -> o.set("block_indices", floats(1, 1, 6)));
    assertDenseRefused("alibiSlopes is INT32", o -> o.set("alibi_slopes", ints(4)));
    assertDenseRefused("keyGates is FLOAT16", o -> o.set("key_gates", tensor(DType.FLOAT16, 4, 5)));
    assertDenseRefused("outputGates is INT32", o -> o.set("output_gates", ints(2, 3, 4, 1)));
    assertDenseRefused("sinks is INT32", o -> o.set("sinks", ints(4)));
    assertDenseRefused("keyLengths is FLOAT32", o -> o.set("key_lengths", floats(2)));

    Bindings wide = dense();
    Attention.Options half16 = Attention.builder().outDType(DType.FLOAT16).build().options();
    assertThrows(
        IllegalArgumentException.class, () -> AttentionPlan.of(half16, wide.of(Abi.FORWARD)));
    wide.set("out", tensor(DType.FLOAT16, 2, 3, 4, 6));
    AttentionPlan.of(half16, wide.of(Abi.FORWARD));
  }

  @Test
  void gapsInTheLastDimension() {
    Tensor gaps = floats(2, 3, 8, 4).permute(0, 1, 3, 2);
    assertRefused(
        "query has stride 4 in its last dimension, expected 1",
        of(gaps, floats(2, 5, 2, 8), floats(2, 5, 2, 8), floats(2, 3, 4, 8)));
    assertDenseRefused(
        "out has stride 4 in its last", o -> o.set("out", floats(2, 3, 6, 4).permute(0, 1, 3, 2)));
    assertDenseRefused(
        "lse has stride 4 in its last", o -> o.set("lse", floats(2, 3, 4).permute(0, 2, 1)));
    assertDenseRefused("sinks has stride 2", o -> o.set("sinks", floats(4, 2).select(1, 0)));
    assertDenseRefused(
        "keyLengths has stride 2", o -> o.set("key_lengths", ints(2, 2).select(1, 0)));
  }

  /** One slope for all heads, for all sequences, or for both; a dimension may be missing. */
  @Test
  void slopesMayBeBroadcast() {
    long[][] shapes = {{4}, {1}, {2, 4}, {1, 4}, {2, 1}, {1, 1}};
    long[][] strides = {{0, 1}, {0, 0}, {4, 1}, {0, 1}, {1, 0}, {0, 0}};
    for (int i = 0; i < shapes.length; i++) {
      for (Bindings operands : new Bindings[] {dense(), packed()}) {
        MemorySegment spec = Specs.forward(operands.set("alibi_slopes", floats(shapes[i])));
        assertEquals(1, FoveaAttentionSpec.HAS_ALIBI_SLOPES.get(spec));
        assertStrides(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, strides[i]);
        plan(operands);
      }
    }
    // Their last dimension may have gaps, unlike that of all others.
    Bindings operands = dense().set("alibi_slopes", floats(4, 3).select(1, 0));
    assertStrides(Specs.forward(operands), FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, 0, 3);
  }

  private static final Attention.Options OUT_OF_FLOAT32 =
      Attention.builder().outDType(DType.FLOAT32).build().options();

  /** Queries, keys and values of e4m3; out of float32. */
  private static Bindings narrow(Bindings floats) {
    for (String name : new String[] {"query", "key", "value"}) {
      floats.set(name, tensor(DType.FLOAT8_E4M3, floats.get(name).shape()));
    }
    return floats;
  }

  @Test
  void queriesOfFloat8() {
    for (Bindings operands : new Bindings[] {narrow(dense()), narrow(packed())}) {
      MemorySegment spec = Specs.forward(OUT_OF_FLOAT32, operands);
      assertEquals(DType.FLOAT8_E4M3.code(), FoveaAttentionSpec.DTYPE.get(spec));
      assertEquals(0, FoveaAttentionSpec.CACHE_DTYPE.get(spec)); // that of query
      assertEquals(0, FoveaAttentionSpec.HAS_QUERY_SCALES.get(spec));
      AttentionPlan.of(OUT_OF_FLOAT32, operands.of(Abi.FORWARD));
      assertRefused("query is FLOAT8_E4M3, which out is not: an outDType is missing", operands);
    }
    Bindings halfCache = narrow(dense()).set("key", tensor(DType.FLOAT16, 2, 5, 2, 8));
    halfCache.set("value", tensor(DType.FLOAT16, 2, 5, 2, 6));
    MemorySegment spec = Specs.forward(OUT_OF_FLOAT32, halfCache);
    assertEquals(DType.FLOAT16.code(), FoveaAttentionSpec.CACHE_DTYPE.get(spec));
    assertNarrowRefused("out is FLOAT16", o -> o.set("out", tensor(DType.FLOAT16, 2, 3, 4, 6)));
    assertNarrowRefused(
        "value is FLOAT32, expected FLOAT8_E4M3", o -> o.set("value", floats(2, 5, 2, 6)));
  }

  private static void assertNarrowRefused(String text, Consumer<Bindings> change) {
    Bindings operands = narrow(dense());
    change.accept(operands);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> AttentionPlan.of(OUT_OF_FLOAT32, operands.of(Abi.FORWARD)))
            .getMessage();
    assertTrue(message.contains(text), message);
  }

  /** One for all sequences, for all key heads, or for both; the first dimension may be missing. */
  @Test
  void scalesOfQueriesMayBeBroadcast() {
    long[][] shapes = {{2, 2}, {1, 2}, {2, 1}, {1, 1}, {2}, {1}};
    long[][] strides = {{2, 1}, {0, 1}, {1, 0}, {0, 0}, {0, 1}, {0, 0}};
    for (int i = 0; i < shapes.length; i++) {
      for (Bindings operands : new Bindings[] {narrow(dense()), narrow(packed())}) {
        operands.set("query_scales", floats(shapes[i]));
        MemorySegment spec = Specs.forward(OUT_OF_FLOAT32, operands);
        assertEquals(1, FoveaAttentionSpec.HAS_QUERY_SCALES.get(spec));
        assertStrides(spec, FoveaAttentionSpec.QUERY_SCALES_STRIDE, strides[i]);
        AttentionPlan.of(OUT_OF_FLOAT32, operands.of(Abi.FORWARD));
      }
    }
    Bindings gaps = narrow(dense()).set("query_scales", floats(2, 2, 3).select(2, 0));
    assertStrides(
        Specs.forward(OUT_OF_FLOAT32, gaps), FoveaAttentionSpec.QUERY_SCALES_STRIDE, 6, 3);
    Bindings same = narrow(dense()).set("query_scales", floats(1, 2).expand(2, 2));
    assertStrides(
        Specs.forward(OUT_OF_FLOAT32, same), FoveaAttentionSpec.QUERY_SCALES_STRIDE, 0, 1);
    assertNarrowRefused(
        "queryScales has shape [2, 4], expected [B or 1, Hk or 1] = [2, 2]",
        o -> o.set("query_scales", floats(2, 4)));
    assertNarrowRefused(
        "queryScales has shape [3, 2], expected [B or 1, Hk or 1] = [2, 2]",
        o -> o.set("query_scales", floats(3, 2)));
    assertNarrowRefused(
        "queryScales has shape [4], expected [Hk or 1] = [2]",
        o -> o.set("query_scales", floats(4)));
    assertNarrowRefused(
        "queryScales is FLOAT16, expected FLOAT32",
        o -> o.set("query_scales", tensor(DType.FLOAT16, 2, 2)));
    assertDenseRefused("queryScales", o -> o.set("query_scales", floats(2, 2)));
  }

  @Test
  void keysHaveATypeOfCaches() {
    assertDenseRefused(
        "key is INT32, expected a floating type", o -> o.set("key", ints(2, 5, 2, 8)));
    Bindings operands =
        dense()
            .set("key", tensor(DType.FLOAT16, 2, 5, 2, 8))
            .set("value", tensor(DType.FLOAT16, 2, 5, 2, 6));
    assertEquals(DType.FLOAT16.code(), FoveaAttentionSpec.CACHE_DTYPE.get(Specs.forward(operands)));
    plan(operands);
  }
}

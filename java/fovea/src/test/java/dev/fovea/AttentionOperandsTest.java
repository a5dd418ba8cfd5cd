package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionShape.Strides;
import java.lang.foreign.Arena;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Operands that do not fit together are named, with what they are and what was expected. */
class AttentionOperandsTest {
  private static final Attention.Options PLAIN = Attention.create().options();

  private static Tensor tensor(DType type, long... shape) {
    return Tensor.of(Arena.ofAuto().allocate(1 << 16, 64), type, shape);
  }

  private static Tensor floats(long... shape) {
    return tensor(DType.FLOAT32, shape);
  }

  private static Tensor ints(long... shape) {
    return tensor(DType.INT32, shape);
  }

  /** B 2, Sq 3, Sk 5, Hq 4, Hk 2, D 8, Dv 6. */
  private static AttentionOperands dense() {
    AttentionOperands operands =
        new AttentionOperands(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 6));
    operands.out = floats(2, 3, 4, 6);
    return operands;
  }

  /** B 2, Tq 7, Tk 11, Hq 4, Hk 2, D 8, Dv 6. */
  private static AttentionOperands packed() {
    AttentionOperands operands =
        new AttentionOperands(floats(7, 4, 8), floats(11, 2, 8), floats(11, 2, 6));
    operands.out = floats(7, 4, 6);
    operands.cuSeqlensQ = ints(3);
    operands.cuSeqlensK = ints(3);
    operands.longestQuery = 4;
    operands.longestKey = 9;
    return operands;
  }

  private static void assertRefused(String text, AttentionOperands operands) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> operands.shape(PLAIN)).getMessage();
    assertTrue(message.contains(text), message);
  }

  private static void assertDenseRefused(String text, Consumer<AttentionOperands> change) {
    AttentionOperands operands = dense();
    change.accept(operands);
    assertRefused(text, operands);
  }

  private static void assertPackedRefused(String text, Consumer<AttentionOperands> change) {
    AttentionOperands operands = packed();
    change.accept(operands);
    assertRefused(text, operands);
  }

  private static AttentionOperands of(Tensor query, Tensor key, Tensor value, Tensor out) {
    AttentionOperands operands = new AttentionOperands(query, key, value);
    operands.out = out;
    return operands;
  }

  @Test
  void denseOperands() {
    AttentionShape shape = dense().shape(PLAIN);
    assertEquals(
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8).valueHeadDim(6).build(), shape);
    assertNull(shape.lse());
    assertNull(shape.bias());
  }

  @Test
  void everyOptionalOperand() {
    AttentionOperands operands = dense();
    operands.bias = tensor(DType.FLOAT16, 1, 4, 1, 5);
    operands.alibiSlopes = floats(4);
    operands.sinks = floats(4);
    operands.queryLengths = ints(2);
    operands.keyLengths = ints(2);
    operands.lse = floats(2, 4, 3);
    operands.weights = floats(2, 4, 3, 5);
    AttentionShape expected =
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8)
            .valueHeadDim(6)
            .bias(DType.FLOAT16, new Strides(0, 0, 5))
            .alibiSlopes(new Strides(0, 0, 1))
            .sinks()
            .queryLengths()
            .keyLengths()
            .lse()
            .weights()
            .build();
    assertEquals(expected, operands.shape(PLAIN));
    operands.alibiSlopes = floats(2, 4);
    operands.bias = floats(2, 1, 3, 5);
    assertEquals(new Strides(4, 0, 1), operands.shape(PLAIN).alibi());
    assertEquals(new Strides(15, 5, 0), operands.shape(PLAIN).bias());
  }

  private static final String SWAPPED =
      ": is that [B, Hq, Sq, D]? permute(0, 2, 1, 3) makes it [B, Sq, Hq, D]";

  /** Told where all would fit with positions and heads the other way round, and only there. */
  @Test
  void headsBeforePositions() {
    // [B, H, S, D]: 8 heads, 6 queries, 4 or 64 keys
    Tensor query = floats(2, 8, 6, 4);
    assertRefused(
        "query has 6 heads, expected a multiple of the 4 heads of key; query is [2, 8, 6, 4]"
            + SWAPPED,
        of(query, floats(2, 8, 4, 4), floats(2, 8, 4, 4), floats(2, 8, 6, 4)));
    assertRefused(
        "; query is [2, 8, 6, 4]" + SWAPPED,
        of(query, floats(2, 2, 64, 4), floats(2, 2, 64, 4), floats(2, 8, 6, 4)));
    AttentionOperands operands = of(query, query, query, query);
    operands.shape(PLAIN); // nothing tells that these are not 6 heads
    operands.lse = floats(2, 8, 6);
    assertRefused(
        "lse has shape [2, 8, 6], expected [B, Hq, Sq] = [2, 6, 8]; query is [2, 8, 6, 4]"
            + SWAPPED,
        operands);
    operands.lse = null;
    operands.bias = floats(6, 6);
    assertRefused(SWAPPED, operands);
    // Nor would it help here.
    operands.bias = floats(7, 6);
    assertNotSwapped(operands);
    assertNotSwapped(of(query, floats(2, 3, 64, 4), floats(2, 3, 64, 4), floats(2, 8, 6, 4)));
    assertNotSwapped(of(query, floats(2, 4, 4, 4), floats(2, 4, 4), floats(2, 8, 6, 4)));
  }

  private static void assertNotSwapped(AttentionOperands operands) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> operands.shape(PLAIN)).getMessage();
    assertFalse(message.contains("permute"), message);
  }

  @Test
  void packedOperands() {
    AttentionOperands operands = packed();
    operands.lse = floats(4, 7);
    operands.weights = floats(4, 7, 9);
    operands.bias = floats(1, 7, 9);
    AttentionShape expected =
        AttentionShape.packed(DType.FLOAT32, 2, 4, 9, 7, 11, 4, 2, 8)
            .valueHeadDim(6)
            .lse()
            .weights()
            .bias(DType.FLOAT32, new Strides(0, 9, 0))
            .build();
    assertEquals(expected, operands.shape(PLAIN));
  }

  @Test
  void anyStrideOrder() {
    // [B, H, S, D] memory
    AttentionOperands operands =
        of(
            floats(2, 4, 3, 8).permute(0, 2, 1, 3),
            floats(2, 2, 5, 8).permute(0, 2, 1, 3),
            floats(5, 2, 2, 6).permute(1, 0, 2, 3),
            floats(2, 3, 4, 6));
    AttentionShape shape = operands.shape(PLAIN);
    assertEquals(new Strides(96, 8, 24), shape.query());
    assertEquals(new Strides(80, 8, 40), shape.key());
    assertEquals(new Strides(12, 24, 6), shape.value());
  }

  @Test
  void emptyAndSingleSizes() {
    of(floats(0, 3, 4, 8), floats(0, 5, 2, 8), floats(0, 5, 2, 8), floats(0, 3, 4, 8)).shape(PLAIN);
    of(floats(2, 0, 4, 8), floats(2, 0, 2, 8), floats(2, 0, 2, 8), floats(2, 0, 4, 8)).shape(PLAIN);
    // A last dimension of one element is contiguous whatever its stride.
    Tensor single = floats(2, 3, 4, 8).slice(3, 0, 1);
    of(single, single, single, floats(2, 3, 4, 1)).shape(PLAIN);
  }

  @Test
  void outIsNeeded() {
    AttentionOperands operands = dense();
    operands.out = null;
    String message =
        assertThrows(IllegalStateException.class, () -> operands.shape(PLAIN)).getMessage();
    assertEquals("out is not set: a call needs a tensor to write to", message);
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
        "query has 4 heads, expected a multiple of the 3 heads of key",
        of(floats(2, 3, 4, 8), floats(2, 5, 3, 8), floats(2, 5, 3, 8), floats(2, 3, 4, 8)));
    assertRefused(
        "valueHeadDim is 0, expected 1 to 512",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 0), floats(2, 3, 4, 0)));
    assertDenseRefused("lse has shape [2, 3, 4]", o -> o.lse = floats(2, 3, 4));
    assertDenseRefused("weights has shape [2, 4, 3, 6]", o -> o.weights = floats(2, 4, 3, 6));
    assertDenseRefused(
        "bias has shape [2, 2, 3, 5], expected [B or 1, Hq or 1, Sq or 1, Sk] = [2, 4, 3, 5]",
        o -> o.bias = floats(2, 2, 3, 5));
    assertDenseRefused("bias has shape [2, 4, 3, 1]", o -> o.bias = floats(2, 4, 3, 1));
    assertDenseRefused(
        "bias has shape [2, 3, 5], expected [Hq or 1, Sq or 1, Sk] = [4, 3, 5]",
        o -> o.bias = floats(2, 3, 5));
    assertDenseRefused(
        "bias has shape [2, 5], expected [Sq or 1, Sk] = [3, 5]", o -> o.bias = floats(2, 5));
    for (long[] rank : new long[][] {{5}, {1, 2, 4, 3, 5}, {}}) {
      assertDenseRefused(
          "expected [B or 1, Hq or 1, Sq or 1, Sk] = [2, 4, 3, 5]", o -> o.bias = floats(rank));
    }
    assertDenseRefused("alibiSlopes has shape [3]", o -> o.alibiSlopes = floats(3));
    assertDenseRefused("alibiSlopes has shape [1, 4]", o -> o.alibiSlopes = floats(1, 4));
    assertDenseRefused("sinks has shape [2]", o -> o.sinks = floats(2));
    assertDenseRefused("queryLengths has shape [3]", o -> o.queryLengths = ints(3));
    assertDenseRefused("keyLengths has shape [2, 1]", o -> o.keyLengths = ints(2, 1));
  }

  @Test
  void wrongPackedShapes() {
    assertPackedRefused("cuSeqlens of query is empty", o -> o.cuSeqlensQ = ints(0));
    assertPackedRefused("cuSeqlens of key has shape [4]", o -> o.cuSeqlensK = ints(4));
    assertPackedRefused("cuSeqlens of query is FLOAT32", o -> o.cuSeqlensQ = floats(3));
    assertPackedRefused("lse has shape [7, 4]", o -> o.lse = floats(7, 4));
    assertPackedRefused("weights has shape [4, 7, 8]", o -> o.weights = floats(4, 7, 8));
    assertPackedRefused("bias has shape [4, 6, 9]", o -> o.bias = floats(4, 6, 9));
    assertPackedRefused("bias has shape [4, 1, 9]", o -> o.bias = floats(4, 1, 9));
    assertPackedRefused(
        "bias has shape [1, 9], expected [Tq, longest Sk] = [7, 9]", o -> o.bias = floats(1, 9));
    assertPackedRefused(
        "bias has shape [1, 4, 7, 9], expected [Hq or 1, Tq, longest Sk] = [4, 7, 9]",
        o -> o.bias = floats(1, 4, 7, 9));
    assertPackedRefused("out has shape [7, 4, 8]", o -> o.out = floats(7, 4, 8));
    AttentionOperands dense = dense();
    dense.cuSeqlensQ = ints(3);
    dense.cuSeqlensK = ints(3);
    assertRefused("query has shape [2, 3, 4, 8], expected [Tq, Hq, D]", dense);
  }

  @Test
  void wrongTypes() {
    assertRefused(
        "query is INT32, expected a floating type",
        of(ints(2, 3, 4, 8), ints(2, 5, 2, 8), ints(2, 5, 2, 8), ints(2, 3, 4, 8)));
    Tensor half = tensor(DType.FLOAT16, 2, 5, 2, 8);
    assertRefused(
        "key is FLOAT16, expected FLOAT32", of(floats(2, 3, 4, 8), half, half, floats(2, 3, 4, 8)));
    assertRefused(
        "value is FLOAT16, expected FLOAT32",
        of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), half, floats(2, 3, 4, 8)));
    assertDenseRefused(
        "out is FLOAT16, expected FLOAT32", o -> o.out = tensor(DType.FLOAT16, 2, 3, 4, 6));
    assertDenseRefused("bias is INT32", o -> o.bias = ints(2, 4, 3, 5));
    assertDenseRefused("lse is FLOAT16", o -> o.lse = tensor(DType.FLOAT16, 2, 4, 3));
    assertDenseRefused("weights is INT32", o -> o.weights = ints(2, 4, 3, 5));
    assertDenseRefused("alibiSlopes is INT32", o -> o.alibiSlopes = ints(4));
    assertDenseRefused("sinks is INT32", o -> o.sinks = ints(4));
    assertDenseRefused("keyLengths is FLOAT32", o -> o.keyLengths = floats(2));

    AttentionOperands wide = dense();
    Attention.Options half16 = Attention.builder().outDType(DType.FLOAT16).build().options();
    assertThrows(IllegalArgumentException.class, () -> wide.shape(half16));
    wide.out = tensor(DType.FLOAT16, 2, 3, 4, 6);
    wide.shape(half16);
  }

  @Test
  void gapsInTheLastDimension() {
    Tensor gaps = floats(2, 3, 8, 4).permute(0, 1, 3, 2);
    assertRefused(
        "query has stride 4 in its last dimension, expected 1",
        of(gaps, floats(2, 5, 2, 8), floats(2, 5, 2, 8), floats(2, 3, 4, 8)));
    assertDenseRefused(
        "out has stride 4 in its last", o -> o.out = floats(2, 3, 6, 4).permute(0, 1, 3, 2));
    assertDenseRefused(
        "lse has stride 4 in its last", o -> o.lse = floats(2, 3, 4).permute(0, 2, 1));
    assertDenseRefused("sinks has stride 2", o -> o.sinks = floats(4, 2).select(1, 0));
    assertDenseRefused("keyLengths has stride 2", o -> o.keyLengths = ints(2, 2).select(1, 0));
  }

  @Test
  void readOnlyResults() {
    AttentionOperands operands = dense();
    operands.checkWritable();
    operands.out =
        Tensor.of(Arena.ofAuto().allocate(1024, 64).asReadOnly(), DType.FLOAT32, 2, 3, 4, 6);
    String message =
        assertThrows(IllegalArgumentException.class, operands::checkWritable).getMessage();
    assertEquals("out is over a read-only segment", message);
  }

  @Test
  void anotherDevice() {
    Device far = Device.of(new FakeBackend("far:0", false));
    try (Scope scope = Scope.open(far)) {
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 4, 3);
      assertDenseRefused("lse is on far:0, expected the device of query, cpu", o -> o.lse = lse);
    }
    Device near = Device.of(new FakeBackend("near", true));
    AttentionOperands operands = dense();
    operands.out = operands.out.on(near);
    operands.shape(PLAIN); // the same memory: no harm
  }

  @Test
  void whoOwnsWhat() throws Exception {
    try (Scope one = Scope.open();
        Scope two = Scope.open()) {
      Tensor key = one.allocate(DType.FLOAT32, 2, 5, 2, 8);
      AttentionOperands operands =
          of(floats(2, 3, 4, 8), key, key, two.allocate(DType.FLOAT32, 2, 3, 4, 8));
      assertEquals(2, operands.scopes().length);
      assertTrue(operands.accessibleByAll());
    }
    try (Arena arena = Arena.ofConfined()) {
      AttentionOperands operands = dense();
      operands.lse = Tensor.of(arena.allocate(1024, 64), DType.FLOAT32, 2, 4, 3);
      assertEquals(0, operands.scopes().length);
      assertTrue(!operands.accessibleByAll());
    }
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionShape.Strides;
import java.lang.foreign.Arena;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Gradients that do not fit their call are named, with what they are and what was expected. */
class BackwardOperandsTest {
  private static Tensor tensor(DType type, long... shape) {
    return Tensor.of(Arena.ofAuto().allocate(1 << 16, 64), type, shape);
  }

  private static Tensor floats(long... shape) {
    return tensor(DType.FLOAT32, shape);
  }

  /** Without the gradients. */
  private static BackwardOperands of(
      Tensor query, Tensor key, Tensor value, Tensor out, Tensor lse) {
    AttentionOperands forward = new AttentionOperands(query, key, value);
    forward.out = out;
    forward.lse = lse;
    return new BackwardOperands(forward, floats(out.shape()));
  }

  /** B 2, Sq 3, Sk 5, Hq 4, Hk 2, D 8, Dv 6. */
  private static BackwardOperands dense() {
    BackwardOperands operands =
        of(
            floats(2, 3, 4, 8),
            floats(2, 5, 2, 8),
            floats(2, 5, 2, 6),
            floats(2, 3, 4, 6),
            floats(2, 4, 3));
    operands.dquery = floats(2, 3, 4, 8);
    operands.dkey = floats(2, 5, 2, 8);
    operands.dvalue = floats(2, 5, 2, 6);
    return operands;
  }

  /** B 2, Tq 7, Tk 11, Hq 4, Hk 2, D 8, Dv 6. */
  private static BackwardOperands packed() {
    BackwardOperands operands =
        of(floats(7, 4, 8), floats(11, 2, 8), floats(11, 2, 6), floats(7, 4, 6), floats(4, 7));
    operands.forward.cuSeqlensQ = tensor(DType.INT32, 3);
    operands.forward.cuSeqlensK = tensor(DType.INT32, 3);
    operands.forward.longestQuery = 4;
    operands.forward.longestKey = 9;
    operands.dquery = floats(7, 4, 8);
    operands.dkey = floats(11, 2, 8);
    operands.dvalue = floats(11, 2, 6);
    return operands;
  }

  private static AttentionGradientShape shape(BackwardOperands operands) {
    operands.requireSet();
    operands.forward.shape(Attention.create().options());
    return operands.shape();
  }

  private static void assertRefused(String expected, Consumer<BackwardOperands> change) {
    BackwardOperands operands = dense();
    change.accept(operands);
    assertEquals(
        expected, assertThrows(IllegalArgumentException.class, () -> shape(operands)).getMessage());
  }

  @Test
  void denseGradients() {
    AttentionShape forward =
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8).valueHeadDim(6).lse().build();
    assertEquals(AttentionGradientShape.dense(forward).build(), shape(dense()));
  }

  @Test
  void packedGradients() {
    AttentionShape forward =
        AttentionShape.packed(DType.FLOAT32, 2, 4, 9, 7, 11, 4, 2, 8).valueHeadDim(6).lse().build();
    BackwardOperands operands = packed();
    assertEquals(AttentionGradientShape.dense(forward).build(), shape(operands));
    operands.forward.bias = tensor(DType.BFLOAT16, 1, 7, 9);
    operands.dbias = floats(1, 7, 9);
    assertEquals(new Strides(0, 9, 0), shape(operands).dbias());
    operands.forward.bias = floats(4, 7, 9);
    operands.dbias = floats(4, 7, 9);
    assertEquals(new Strides(0, 9, 63), shape(operands).dbias());
  }

  /** A packed bias is never broadcast over the rows, so one row is no sum. */
  @Test
  void aPackedBatchOfOneRow() {
    BackwardOperands operands =
        of(floats(1, 4, 8), floats(11, 2, 8), floats(11, 2, 6), floats(1, 4, 6), floats(4, 1));
    operands.forward.cuSeqlensQ = tensor(DType.INT32, 2);
    operands.forward.cuSeqlensK = tensor(DType.INT32, 2);
    operands.forward.longestQuery = 1;
    operands.forward.longestKey = 11;
    operands.dquery = floats(1, 4, 8);
    operands.dkey = floats(11, 2, 8);
    operands.dvalue = floats(11, 2, 6);
    operands.forward.bias = floats(4, 1, 11);
    operands.dbias = floats(4, 1, 11);
    assertEquals(new Strides(0, 11, 11), shape(operands).dbias());
  }

  @Test
  void everyOption() {
    BackwardOperands operands = dense();
    operands.forward.alibiSlopes = floats(4);
    operands.forward.sinks = floats(4);
    operands.dalibiSlopes = floats(4);
    operands.dsinks = floats(4);
    operands.accumulate = true;
    operands.deterministic = true;
    AttentionGradientShape shape = shape(operands);
    assertTrue(shape.dsinks() && shape.accumulate() && shape.deterministic());
    assertEquals(new Strides(0, 0, 1), shape.dalibi());
    operands.forward.alibiSlopes = floats(2, 4);
    operands.dalibiSlopes = floats(4, 2).permute(1, 0);
    assertEquals(new Strides(1, 0, 2), shape(operands).dalibi());
  }

  @Test
  void anyFloatingTypeAndStrideOrder() {
    for (DType type : new DType[] {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16}) {
      BackwardOperands operands = dense();
      operands.dquery = tensor(type, 2, 4, 3, 8).permute(0, 2, 1, 3);
      operands.dkey = tensor(type, 5, 2, 2, 8).permute(1, 0, 2, 3);
      operands.dvalue = tensor(type, 2, 5, 2, 6);
      operands.dout = floats(2, 4, 3, 6).permute(0, 2, 1, 3);
      AttentionGradientShape shape = shape(operands);
      assertEquals(type, shape.dtype());
      assertEquals(new Strides(72, 6, 18), shape.dout());
      assertEquals(new Strides(96, 8, 24), shape.dquery());
      assertEquals(new Strides(16, 32, 8), shape.dkey());
      assertEquals(new Strides(60, 12, 6), shape.dvalue());
    }
  }

  @Test
  void theGradientOfOutMayRepeat() {
    BackwardOperands operands = dense();
    operands.dout =
        Tensor.of(
            Arena.ofAuto().allocate(64, 64),
            DType.FLOAT32,
            new long[] {2, 3, 4, 6},
            new long[] {0, 0, 0, 1});
    assertEquals(new Strides(0, 0, 0), shape(operands).dout());
  }

  /** Of size 1 it is broadcast, and its gradient a sum; stride 0 of the bias alone is neither. */
  @Test
  void whatTheGradientOfTheBiasIsSummedOver() {
    BackwardOperands operands = dense();
    for (boolean[] one :
        new boolean[][] {
          {false, false, false}, {true, false, false}, {false, true, false}, {true, true, true}
        }) {
      long[] sizes = {one[0] ? 1 : 2, one[1] ? 1 : 4, one[2] ? 1 : 3, 5};
      operands.forward.bias = tensor(DType.FLOAT16, sizes);
      operands.dbias = floats(sizes);
      assertEquals(
          new Strides(
              one[0] ? 0 : operands.dbias.stride(0),
              one[2] ? 0 : operands.dbias.stride(2),
              one[1] ? 0 : operands.dbias.stride(1)),
          shape(operands).dbias());
    }
    operands.forward.bias =
        Tensor.of(
            Arena.ofAuto().allocate(64, 64),
            DType.FLOAT32,
            new long[] {2, 4, 3, 5},
            new long[] {0, 0, 0, 1});
    operands.dbias = floats(2, 4, 3, 5);
    assertEquals(new Strides(60, 5, 15), shape(operands).dbias());
  }

  /** Where there are no elements, no two are the same. */
  @Test
  void anEmptyGradientOfTheBiasMayHaveAnyStrides() {
    BackwardOperands operands =
        of(
            floats(2, 3, 4, 8),
            floats(2, 0, 2, 8),
            floats(2, 0, 2, 6),
            floats(2, 3, 4, 6),
            floats(2, 4, 3));
    operands.dquery = floats(2, 3, 4, 8);
    operands.dkey = floats(2, 0, 2, 8);
    operands.dvalue = floats(2, 0, 2, 6);
    long[] sizes = {2, 4, 3, 0};
    operands.forward.bias = floats(sizes);
    operands.dbias =
        Tensor.of(Arena.ofAuto().allocate(64, 64), DType.FLOAT32, sizes, new long[] {0, 0, 0, 1});
    assertEquals(new Strides(1, 1, 1), shape(operands).dbias());
  }

  /** To the planner stride 0 is a sum, so it must not come from a view that repeats elements. */
  @Test
  void gradientsThatRepeatElementsAreNoSums() {
    long[] sizes = {2, 4, 3, 5};
    for (int dim = 0; dim < 3; dim++) {
      long[] strides = {60, 15, 5, 1};
      strides[dim] = 0;
      int repeated = dim;
      assertRefused(
          "dbias has stride 0 in dimension %d of size %d, expected distinct elements"
              .formatted(dim, sizes[dim]),
          o -> {
            o.forward.bias = floats(sizes);
            o.dbias = Tensor.of(floats(sizes).segment(), DType.FLOAT32, sizes, strides);
            assertEquals(0, o.dbias.stride(repeated));
          });
    }
    assertRefused(
        "dalibiSlopes has stride 0 in dimension 0 of size 2, expected distinct elements",
        o -> {
          o.forward.alibiSlopes = floats(2, 4);
          o.dalibiSlopes =
              Tensor.of(floats(8).segment(), DType.FLOAT32, new long[] {2, 4}, new long[] {0, 1});
        });
    // Without a batch there is nothing to sum over either, and no element to write a sum to.
    BackwardOperands empty =
        of(
            floats(0, 3, 4, 8),
            floats(0, 5, 2, 8),
            floats(0, 5, 2, 6),
            floats(0, 3, 4, 6),
            floats(0, 4, 3));
    empty.dquery = floats(0, 3, 4, 8);
    empty.dkey = floats(0, 5, 2, 8);
    empty.dvalue = floats(0, 5, 2, 6);
    empty.forward.bias = floats(0, 4, 3, 5);
    empty.dbias =
        Tensor.of(
            floats(1).segment(), DType.FLOAT32, new long[] {0, 4, 3, 5}, new long[] {0, 15, 5, 1});
    assertEquals(new Strides(1, 5, 15), shape(empty).dbias());
  }

  @Test
  void whatIsNeeded() {
    assertMissing(
        "out of the call is not set: a backward pass reads what its forward wrote",
        o -> o.forward.out = null);
    assertMissing(
        "lse of the call is not set: a backward pass reads what its forward wrote",
        o -> o.forward.lse = null);
    assertMissing(
        "dquery is not set: set it, or let backward(scope) allocate it", o -> o.dquery = null);
    assertMissing(
        "dkey is not set: set it, or let backward(scope) allocate it", o -> o.dkey = null);
    assertMissing(
        "dvalue is not set: set it, or let backward(scope) allocate it", o -> o.dvalue = null);
  }

  private static void assertMissing(String expected, Consumer<BackwardOperands> change) {
    BackwardOperands operands = dense();
    change.accept(operands);
    assertEquals(
        expected, assertThrows(IllegalStateException.class, () -> shape(operands)).getMessage());
  }

  @Test
  void gradientsOfWhatTheCallDoesNotHave() {
    assertRefused("dbias is set, but the call has no bias", o -> o.dbias = floats(2, 4, 3, 5));
    assertRefused(
        "dalibiSlopes is set, but the call has no alibiSlopes", o -> o.dalibiSlopes = floats(4));
    assertRefused("dsinks is set, but the call has no sinks", o -> o.dsinks = floats(4));
  }

  @Test
  void wrongShapes() {
    assertRefused(
        "dout has shape [2, 3, 4, 8], expected that of out = [2, 3, 4, 6]",
        o -> o.dout = floats(2, 3, 4, 8));
    assertRefused(
        "dquery has shape [2, 3, 4], expected that of query = [2, 3, 4, 8]",
        o -> o.dquery = floats(2, 3, 4));
    assertRefused(
        "dkey has shape [2, 5, 4, 8], expected that of key = [2, 5, 2, 8]",
        o -> o.dkey = floats(2, 5, 4, 8));
    assertRefused(
        "dvalue has shape [2, 5, 2, 8], expected that of value = [2, 5, 2, 6]",
        o -> o.dvalue = floats(2, 5, 2, 8));
    assertRefused(
        "dbias has shape [2, 4, 3, 5], expected that of bias = [1, 4, 3, 5]",
        o -> {
          o.forward.bias = floats(1, 4, 3, 5);
          o.dbias = floats(2, 4, 3, 5);
        });
    assertRefused(
        "dalibiSlopes has shape [2, 4], expected that of alibiSlopes = [4]",
        o -> {
          o.forward.alibiSlopes = floats(4);
          o.dalibiSlopes = floats(2, 4);
        });
    assertRefused(
        "dsinks has shape [2], expected that of sinks = [4]",
        o -> {
          o.forward.sinks = floats(4);
          o.dsinks = floats(2);
        });
  }

  @Test
  void wrongTypes() {
    assertRefused(
        "dout is FLOAT16, expected FLOAT32", o -> o.dout = tensor(DType.FLOAT16, 2, 3, 4, 6));
    assertRefused(
        "dquery is INT32, expected a floating type",
        o -> o.dquery = tensor(DType.INT32, 2, 3, 4, 8));
    assertRefused(
        "dkey is FLOAT32, expected BFLOAT16", o -> o.dquery = tensor(DType.BFLOAT16, 2, 3, 4, 8));
    assertRefused(
        "dvalue is FLOAT16, expected FLOAT32", o -> o.dvalue = tensor(DType.FLOAT16, 2, 5, 2, 6));
    assertRefused(
        "dbias is FLOAT16, expected FLOAT32",
        o -> {
          o.forward.bias = tensor(DType.FLOAT16, 2, 4, 3, 5);
          o.dbias = o.forward.bias;
        });
  }

  @Test
  void gapsInTheLastDimension() {
    assertRefused(
        "dout has stride 4 in its last dimension, expected 1",
        o -> o.dout = floats(2, 3, 6, 4).permute(0, 1, 3, 2));
    assertRefused(
        "dquery has stride 4 in its last dimension, expected 1",
        o -> o.dquery = floats(2, 3, 8, 4).permute(0, 1, 3, 2));
    assertRefused(
        "dbias has stride 3 in its last dimension, expected 1",
        o -> {
          o.forward.bias = floats(2, 4, 3, 5);
          o.dbias = floats(2, 4, 5, 3).permute(0, 1, 3, 2);
        });
    assertRefused(
        "dsinks has stride 2 in its last dimension, expected 1",
        o -> {
          o.forward.sinks = floats(4);
          o.dsinks = floats(4, 2).select(1, 0);
        });
  }

  @Test
  void whatTheForwardWroteMayBeReadOnlyNow() {
    BackwardOperands operands = dense();
    operands.forward.out =
        Tensor.of(Arena.ofAuto().allocate(1024, 64).asReadOnly(), DType.FLOAT32, 2, 3, 4, 6);
    shape(operands);
    operands.checkWritable();
    operands.dkey =
        Tensor.of(Arena.ofAuto().allocate(1024, 64).asReadOnly(), DType.FLOAT32, 2, 5, 2, 8);
    String message =
        assertThrows(IllegalArgumentException.class, operands::checkWritable).getMessage();
    assertEquals("dkey is over a read-only segment", message);
  }

  @Test
  void anotherDevice() {
    try (Scope scope = Scope.open(Device.of(new FakeBackend("far:0", false)))) {
      Tensor dkey = scope.allocate(DType.FLOAT32, 2, 5, 2, 8);
      assertRefused("dkey is on far:0, expected the device of query, cpu", o -> o.dkey = dkey);
    }
  }

  @Test
  void whoOwnsWhat() {
    try (Scope one = Scope.open();
        Scope two = Scope.open();
        Arena arena = Arena.ofConfined()) {
      BackwardOperands operands = dense();
      operands.forward.lse = one.allocate(DType.FLOAT32, 2, 4, 3);
      operands.dquery = one.allocate(DType.FLOAT32, 2, 3, 4, 8);
      operands.dout = two.allocate(DType.FLOAT32, 2, 3, 4, 6);
      assertEquals(Set.of(one, two), Set.of(operands.scopes()));
      assertTrue(operands.accessibleByAll());
      Tensor confined = Tensor.of(arena.allocate(1024, 64), DType.FLOAT32, 2, 4, 3, 5);
      operands.forward.weights = confined; // have no part in it
      assertTrue(operands.accessibleByAll());
      operands.dbias = confined;
      assertFalse(operands.accessibleByAll());
    }
  }
}

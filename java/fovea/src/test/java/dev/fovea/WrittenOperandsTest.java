package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** What a run writes shares no memory with any other operand, or the two are named. */
class WrittenOperandsTest {
  /** Bytes around the operands, so that one may begin before another and be over it alone. */
  private static final long ROOM = 1 << 14;

  private static Tensor tensor(DType type, long... shape) {
    return Tensor.of(Arena.ofAuto().allocate(4 * ROOM, 64).asSlice(2 * ROOM), type, shape);
  }

  private static Tensor floats(long... shape) {
    return tensor(DType.FLOAT32, shape);
  }

  /** As {@code like}, but its last element is the first one of {@code of}. */
  private static Tensor endingOn(Tensor of, Tensor like) {
    long address = of.address() - (like.elements() - 1) * like.dtype().byteSize();
    return Tensor.ofAddress(like.device(), address, like.dtype(), like.shape(), like.strides());
  }

  private static AttentionOperands forward() {
    AttentionOperands operands =
        new AttentionOperands(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 8));
    operands.bias = tensor(DType.FLOAT16, 2, 4, 3, 5);
    operands.alibiSlopes = floats(2, 4);
    operands.sinks = floats(4);
    operands.queryLengths = tensor(DType.INT32, 2);
    operands.keyLengths = tensor(DType.INT32, 2);
    operands.out = floats(2, 3, 4, 8);
    operands.lse = floats(2, 4, 3);
    operands.weights = floats(2, 4, 3, 5);
    return operands;
  }

  private static BackwardOperands backward() {
    AttentionOperands forward = forward();
    BackwardOperands operands = new BackwardOperands(forward, floats(2, 3, 4, 8));
    operands.dquery = floats(2, 3, 4, 8);
    operands.dkey = floats(2, 5, 2, 8);
    operands.dvalue = floats(2, 5, 2, 8);
    operands.dbias = floats(2, 4, 3, 5);
    operands.dalibiSlopes = floats(2, 4);
    operands.dsinks = floats(4);
    return operands;
  }

  /** Puts each of what is written over each other operand in turn. */
  private static <T extends OperandSet> void assertEachNamed(
      T operands, Map<String, BiConsumer<T, Tensor>> setters) {
    operands.checkWritable();
    assertEquals(operands.written().keySet(), setters.keySet());
    Map<String, Tensor> all = operands.present();
    setters.forEach(
        (name, set) ->
            all.forEach(
                (other, tensor) -> {
                  if (other.equals(name)) {
                    return;
                  }
                  set.accept(operands, endingOn(tensor, all.get(name)));
                  String message =
                      assertThrows(
                              IllegalArgumentException.class,
                              operands::checkWritable,
                              name + " over " + other)
                          .getMessage();
                  String wanted =
                      "%s shares memory with %s: what a run writes must not overlap any other"
                          + " operand";
                  // Of two that are written either may be named first.
                  boolean either =
                      setters.containsKey(other) && message.equals(wanted.formatted(other, name));
                  assertEquals(either ? message : wanted.formatted(name, other), message);
                  set.accept(operands, all.get(name));
                  operands.checkWritable();
                }));
  }

  @Test
  void aForwardPassOverEachOtherOperand() {
    assertEachNamed(
        forward(),
        Map.of(
            "out", (o, tensor) -> o.out = tensor,
            "lse", (o, tensor) -> o.lse = tensor,
            "weights", (o, tensor) -> o.weights = tensor));
  }

  @Test
  void aBackwardPassOverEachOtherOperand() {
    assertEachNamed(
        backward(),
        Map.of(
            "dquery", (o, tensor) -> o.dquery = tensor,
            "dkey", (o, tensor) -> o.dkey = tensor,
            "dvalue", (o, tensor) -> o.dvalue = tensor,
            "dbias", (o, tensor) -> o.dbias = tensor,
            "dalibiSlopes", (o, tensor) -> o.dalibiSlopes = tensor,
            "dsinks", (o, tensor) -> o.dsinks = tensor));
  }

  @Test
  void offsetsOfAPackedBatch() {
    AttentionOperands operands =
        new AttentionOperands(floats(7, 4, 8), floats(9, 4, 8), floats(9, 4, 8));
    operands.out = floats(7, 4, 8);
    for (String which : new String[] {"query", "key"}) {
      operands.cuSeqlensQ = tensor(DType.INT32, 3);
      operands.cuSeqlensK = tensor(DType.INT32, 3);
      operands.checkWritable();
      Tensor inside = Tensor.of(operands.out.slice(0, 6, 7).segment().asSlice(124), DType.INT32, 1);
      if (which.equals("query")) {
        operands.cuSeqlensQ = inside;
      } else {
        operands.cuSeqlensK = inside;
      }
      String message =
          assertThrows(IllegalArgumentException.class, operands::checkWritable).getMessage();
      assertEquals(
          "out shares memory with cuSeqlens of "
              + which
              + ": what a run writes must not overlap any other operand",
          message);
    }
  }

  @Test
  void whatIsReadMayBeOneTensor() {
    Tensor all = floats(2, 3, 4, 8);
    AttentionOperands operands = new AttentionOperands(all, all, all);
    operands.out = floats(2, 3, 4, 8);
    operands.checkWritable();
  }

  @Test
  void weightsHaveNoPartInABackwardPass() {
    BackwardOperands operands = backward();
    operands.forward.weights = operands.dquery;
    operands.checkWritable();
  }

  /** [B, S, 3, H, D] and its gradient in the same layout. */
  @Test
  void interleavedViewsAreApart() {
    Tensor qkv = floats(2, 3, 3, 2, 8);
    Tensor dqkv = floats(2, 3, 3, 2, 8);
    AttentionOperands forward =
        new AttentionOperands(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2));
    forward.out = floats(2, 3, 2, 8);
    forward.lse = floats(2, 2, 3);
    forward.checkWritable();
    BackwardOperands backward = new BackwardOperands(forward, floats(2, 3, 2, 8));
    backward.dquery = dqkv.select(2, 0);
    backward.dkey = dqkv.select(2, 1);
    backward.dvalue = dqkv.select(2, 2);
    backward.checkWritable();
    backward.dvalue = dqkv.select(2, 1);
    assertThrows(IllegalArgumentException.class, backward::checkWritable);
  }

  /** Slots of a cache: keys and values of one layer beside out of the next. */
  @Test
  void slicesAndInterleavedHeadsAreApart() {
    Tensor memory = floats(2, 8, 4, 8);
    AttentionOperands operands =
        new AttentionOperands(memory.slice(1, 0, 3), memory.slice(1, 3, 6), memory.slice(1, 3, 6));
    operands.out = memory.slice(1, 5, 8);
    assertThrows(IllegalArgumentException.class, operands::checkWritable);
    operands =
        new AttentionOperands(memory.slice(1, 0, 2), memory.slice(1, 2, 6), memory.slice(1, 2, 6));
    operands.out = memory.slice(1, 6, 8);
    operands.checkWritable();
    // [B, S, H, 2 D]: a head of query, and a head of out
    Tensor pairs = floats(2, 3, 4, 16);
    operands = new AttentionOperands(pairs.slice(3, 0, 8), floats(2, 5, 4, 8), floats(2, 5, 4, 8));
    operands.out = pairs.slice(3, 8, 16);
    operands.checkWritable();
    operands.out = pairs.slice(3, 7, 15);
    assertThrows(IllegalArgumentException.class, operands::checkWritable);
  }

  @Test
  void operandsWithoutElementsShareNothing() {
    Tensor none = floats(0, 3, 4, 8);
    AttentionOperands operands = new AttentionOperands(none, none, none);
    operands.out = none;
    operands.checkWritable();
  }

  @Test
  void addressesOfADeviceAreCompared() {
    Device far = Device.of(new FakeBackend("far:0", false));
    long[] shape = {2, 3, 4, 8};
    long[] strides = Layouts.denseStrides(shape);
    Tensor query = Tensor.ofAddress(far, 1 << 20, DType.FLOAT32, shape, strides);
    AttentionOperands operands = new AttentionOperands(query, query, query);
    operands.out = Tensor.ofAddress(far, (1 << 20) + 768, DType.FLOAT32, shape, strides);
    operands.checkWritable();
    operands.out = Tensor.ofAddress(far, (1 << 20) + 764, DType.FLOAT32, shape, strides);
    assertThrows(IllegalArgumentException.class, operands::checkWritable);
  }

  /** Of plan, run and gradients, forward and backward; and nothing is written. */
  @Test
  void everyWayToRunRefuses() {
    NativeTest.requireLibrary();
    try (Scope scope = Scope.open()) {
      Tensor key = scope.allocate(DType.FLOAT32, 1, 3, 2, 8).fill(1);
      AttentionCall call = Attention.create().call(key, key, key);
      call.out(key);
      assertThrows(IllegalArgumentException.class, call::plan);
      assertThrows(IllegalArgumentException.class, call::run);
      Tensor out = scope.allocate(DType.FLOAT32, 1, 3, 2, 8);
      call.out(out).lse(scope.allocate(DType.FLOAT32, 1, 2, 3)).run();
      AttentionBackward backward = call.gradients(out).dquery(key);
      assertThrows(IllegalArgumentException.class, () -> backward.backward(scope));
      backward.dkey(scope.allocate(DType.FLOAT32, 1, 3, 2, 8));
      backward.dvalue(scope.allocate(DType.FLOAT32, 1, 3, 2, 8));
      assertThrows(IllegalArgumentException.class, backward::plan);
      assertThrows(IllegalArgumentException.class, backward::run);
      assertArrayEquals(
          new float[] {1, 1}, new float[] {key.getFloat(0, 0, 0, 0), out.getFloat(0, 2, 1, 7)});
    }
  }

  @Test
  void aCopyOverItself() {
    Tensor memory = floats(2, 3, 8);
    memory.slice(2, 0, 4).copyFrom(memory.slice(2, 4, 8));
    Tensor from = memory.slice(2, 3, 7);
    Tensor to = memory.slice(2, 0, 4);
    assertEquals(
        to + " shares memory with what is copied to it, " + from,
        assertThrows(IllegalArgumentException.class, () -> to.copyFrom(from)).getMessage());
    assertThrows(IllegalArgumentException.class, () -> memory.copyFrom(memory));
  }

  @Test
  void readOnlyMemoryIsStillNamedFirst() {
    AttentionOperands operands = forward();
    MemorySegment readOnly = operands.query.segment().asReadOnly();
    operands.out = Tensor.of(readOnly, DType.FLOAT32, 2, 3, 4, 8);
    assertEquals(
        "out is over a read-only segment",
        assertThrows(IllegalArgumentException.class, operands::checkWritable).getMessage());
  }
}

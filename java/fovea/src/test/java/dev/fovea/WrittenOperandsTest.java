package dev.fovea;

import static dev.fovea.SmallOperands.of;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
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

  private static Bindings forward() {
    return of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 8), floats(2, 3, 4, 8))
        .set("bias", tensor(DType.FLOAT16, 2, 4, 3, 5))
        .set("mask", tensor(DType.BOOL, 2, 4, 3, 5))
        .set("block_offsets", tensor(DType.INT32, 2, 4, 3))
        .set("block_indices", tensor(DType.INT32, 2, 4, 6))
        .set("relative_table", floats(4, 7))
        .set("relative_buckets", tensor(DType.INT32, 9))
        .set("alibi_slopes", floats(2, 4))
        .set("sinks", floats(4))
        .set("query_lengths", tensor(DType.INT32, 2))
        .set("key_lengths", tensor(DType.INT32, 2))
        .set("lse", floats(2, 4, 3))
        .set("weights", floats(2, 4, 3, 5));
  }

  private static Bindings backward() {
    return forward()
        .set("dout", floats(2, 3, 4, 8))
        .set("dquery", floats(2, 3, 4, 8))
        .set("dkey", floats(2, 5, 2, 8))
        .set("dvalue", floats(2, 5, 2, 8))
        .set("dbias", floats(2, 4, 3, 5))
        .set("drelative_table", floats(4, 7))
        .set("dalibi_slopes", floats(2, 4))
        .set("dsinks", floats(4));
  }

  private static void checkWritable(Bindings forward) {
    forward.of(Abi.FORWARD).checkWritable();
  }

  private static void checkWritableBackward(Bindings backward) {
    backward.of(Abi.BACKWARD).checkWritable();
  }

  /** Puts each of what is written over each other operand in turn. */
  private static void assertEachNamed(Bindings operands, int pass, Set<String> written) {
    List<Operand> all =
        operands.of(pass).all().stream()
            .filter(it -> it.tensor() != null)
            .map(PassOperands.Bound::operand)
            .toList();
    assertEquals(
        written,
        all.stream().filter(Operand::written).map(Operand::name).collect(Collectors.toSet()));
    operands.of(pass).checkWritable();
    for (Operand it : all.stream().filter(Operand::written).toList()) {
      Tensor own = operands.get(it.name());
      for (Operand other : all) {
        if (other == it) {
          continue;
        }
        PassOperands over =
            operands.copy().set(it.name(), endingOn(operands.get(other.name()), own)).of(pass);
        String name = PassOperands.javaName(it.name());
        String otherName = PassOperands.javaName(other.name());
        String message =
            assertThrows(
                    IllegalArgumentException.class,
                    over::checkWritable,
                    name + " over " + otherName)
                .getMessage();
        String wanted =
            "%s shares memory with %s: what a run writes must not overlap any other operand";
        // Of two that are written either may be named first.
        boolean either = other.written() && message.equals(wanted.formatted(otherName, name));
        assertEquals(either ? message : wanted.formatted(name, otherName), message);
      }
    }
  }

  @Test
  void aForwardPassOverEachOtherOperand() {
    assertEachNamed(forward(), Abi.FORWARD, Set.of("out", "lse", "weights"));
  }

  @Test
  void aBackwardPassOverEachOtherOperand() {
    assertEachNamed(
        backward(),
        Abi.BACKWARD,
        Set.of("dquery", "dkey", "dvalue", "dbias", "drelative_table", "dalibi_slopes", "dsinks"));
  }

  @Test
  void offsetsOfAPackedBatch() {
    Tensor out = floats(7, 4, 8);
    for (String which : new String[] {"q", "k"}) {
      Bindings operands =
          of(floats(7, 4, 8), floats(9, 4, 8), floats(9, 4, 8), out)
              .set("cu_seqlens_q", tensor(DType.INT32, 3))
              .set("cu_seqlens_k", tensor(DType.INT32, 3));
      checkWritable(operands);
      Tensor inside = Tensor.of(out.slice(0, 6, 7).segment().asSlice(124), DType.INT32, 1);
      operands.set("cu_seqlens_" + which, inside);
      String message =
          assertThrows(IllegalArgumentException.class, () -> checkWritable(operands)).getMessage();
      assertEquals(
          "out shares memory with cuSeqlens"
              + which.toUpperCase(Locale.ROOT)
              + ": what a run writes must not overlap any other operand",
          message);
    }
  }

  @Test
  void whatIsReadMayBeOneTensor() {
    Tensor all = floats(2, 3, 4, 8);
    checkWritable(of(all, all, all, floats(2, 3, 4, 8)));
  }

  @Test
  void weightsHaveNoPartInABackwardPass() {
    Bindings operands = backward();
    checkWritableBackward(operands.set("weights", operands.get("dquery")));
  }

  /** [B, S, 3, H, D] and its gradient in the same layout. */
  @Test
  void interleavedViewsAreApart() {
    Tensor qkv = floats(2, 3, 3, 2, 8);
    Tensor dqkv = floats(2, 3, 3, 2, 8);
    Bindings operands =
        of(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2), floats(2, 3, 2, 8))
            .set("lse", floats(2, 2, 3));
    checkWritable(operands);
    operands
        .set("dout", floats(2, 3, 2, 8))
        .set("dquery", dqkv.select(2, 0))
        .set("dkey", dqkv.select(2, 1))
        .set("dvalue", dqkv.select(2, 2));
    checkWritableBackward(operands);
    operands.set("dvalue", dqkv.select(2, 1));
    assertThrows(IllegalArgumentException.class, () -> checkWritableBackward(operands));
  }

  /** Slots of a cache: keys and values of one layer beside out of the next. */
  @Test
  void slicesAndInterleavedHeadsAreApart() {
    Tensor memory = floats(2, 8, 4, 8);
    Tensor keys = memory.slice(1, 3, 6);
    assertShared(of(memory.slice(1, 0, 3), keys, keys, memory.slice(1, 5, 8)));
    keys = memory.slice(1, 2, 6);
    checkWritable(of(memory.slice(1, 0, 2), keys, keys, memory.slice(1, 6, 8)));
    // [B, S, H, 2 D]: a head of query, and a head of out
    Tensor pairs = floats(2, 3, 4, 16);
    Tensor query = pairs.slice(3, 0, 8);
    checkWritable(of(query, floats(2, 5, 4, 8), floats(2, 5, 4, 8), pairs.slice(3, 8, 16)));
    assertShared(of(query, floats(2, 5, 4, 8), floats(2, 5, 4, 8), pairs.slice(3, 7, 15)));
  }

  private static void assertShared(Bindings forward) {
    assertThrows(IllegalArgumentException.class, () -> checkWritable(forward));
  }

  @Test
  void operandsWithoutElementsShareNothing() {
    Tensor none = floats(0, 3, 4, 8);
    checkWritable(of(none, none, none, none));
  }

  @Test
  void addressesOfADeviceAreCompared() {
    Device far = Device.of(new FakeBackend("far:0", false));
    long[] shape = {2, 3, 4, 8};
    long[] strides = Layouts.denseStrides(shape);
    Tensor query = Tensor.ofAddress(far, 1 << 20, DType.FLOAT32, shape, strides);
    Tensor behind = Tensor.ofAddress(far, (1 << 20) + 768, DType.FLOAT32, shape, strides);
    checkWritable(of(query, query, query, behind));
    Tensor over = Tensor.ofAddress(far, (1 << 20) + 764, DType.FLOAT32, shape, strides);
    assertShared(of(query, query, query, over));
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
    Bindings operands = forward();
    MemorySegment readOnly = operands.get("query").segment().asReadOnly();
    operands.set("out", Tensor.of(readOnly, DType.FLOAT32, 2, 3, 4, 8));
    assertEquals(
        "out is over a read-only segment",
        assertThrows(IllegalArgumentException.class, () -> checkWritable(operands)).getMessage());
  }
}

package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What fails, fails at once and whole: nothing else is bound afterwards, and the next run works.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CallFailureTest {
  private final HookedCpu hooks = new HookedCpu();
  private final Scope scope = Scope.open(Device.of(hooks));
  private final Operands operands = Operands.in(scope);
  private final Tensor lse = scope.allocate(DType.FLOAT32, 1, 4, 128);
  private final Tensor dout = scope.allocate(DType.FLOAT32, 1, 128, 4, 64).fill(1);
  private float[] expected;
  private float[] expectedDquery;

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @BeforeEach
  void expect() {
    AttentionCall call = call();
    call.run();
    expected = operands.out().toFloatArray();
    expectedDquery = call.gradients(dout).backward(scope).query().toFloatArray();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  /** On a device of its own, which has made no plan yet. */
  private AttentionCall call() {
    return Attention.create()
        .call(operands.query().on(Device.of(hooks)), operands.key(), operands.value())
        .out(operands.out())
        .lse(lse)
        .parallelism(3)
        .executor(Runnable::run);
  }

  private static OutOfMemoryError tooLittle() {
    return new OutOfMemoryError("Cannot reserve direct buffer memory");
  }

  /** Lets the nth of what {@code run} asks for fail, for every n; says how many there are. */
  private int failEach(Supplier<Runnable> fresh, Runnable check) {
    int count = 0;
    while (true) {
      AtomicInteger left = new AtomicInteger(count);
      Runnable failing =
          () -> {
            if (left.getAndDecrement() == 0) {
              throw tooLittle();
            }
          };
      Runnable run = fresh.get();
      hooks.onAllocate = bytes -> failing.run();
      hooks.onLibrary = failing;
      try {
        run.run();
      } catch (OutOfMemoryError | FoveaException e) { // of working memory, or of a scope
        hooks.onAllocate = bytes -> {};
        hooks.onLibrary = () -> {};
        run.run();
        check.run();
        count++;
        continue;
      } finally {
        hooks.onAllocate = bytes -> {};
        hooks.onLibrary = () -> {};
      }
      return count;
    }
  }

  @Test
  void aRunThatGetsWhatItLackedIsRight() {
    int count =
        failEach(
            () -> {
              operands.out().fill(Float.NaN);
              return call()::run;
            },
            () -> assertArrayEquals(expected, operands.out().toFloatArray()));
    assertTrue(count >= 3, "library and scratch: " + count);
  }

  @Test
  void aRunThatCannotGrowIsAsSmallAsBefore() {
    AttentionCall call = call();
    int count =
        failEach(
            () -> {
              AttentionCall small = call().parallelism(1);
              small.run();
              operands.out().fill(Float.NaN);
              small.parallelism(3);
              return small::run;
            },
            () -> assertArrayEquals(expected, operands.out().toFloatArray()));
    assertTrue(count >= 2, "library and scratch: " + count);
    call.parallelism(1).run();
    hooks.onAllocate =
        bytes -> {
          throw tooLittle();
        };
    assertThrows(OutOfMemoryError.class, () -> call.parallelism(3).run());
    operands.out().fill(Float.NaN);
    call.parallelism(1).run();
    assertArrayEquals(expected, operands.out().toFloatArray());
  }

  @Test
  void aBackwardRunThatGetsWhatItLackedIsRight() {
    Tensor dquery = scope.allocate(DType.FLOAT32, 1, 128, 4, 64);
    Tensor dkey = scope.allocate(DType.FLOAT32, 1, 128, 2, 64);
    Tensor dvalue = scope.allocate(DType.FLOAT32, 1, 128, 2, 64);
    int count =
        failEach(
            () -> {
              AttentionCall call = call();
              call.run();
              dquery.fill(Float.NaN);
              return call.gradients(dout).dquery(dquery).dkey(dkey).dvalue(dvalue)::run;
            },
            () -> assertArrayEquals(expectedDquery, dquery.toFloatArray()));
    assertTrue(count >= 4, "library, workspace and scratch: " + count);
  }

  @Test
  void gradientsThatFailAreNotKept() {
    AttentionBackward[] backward = new AttentionBackward[1];
    String[] before = new String[1];
    int count =
        failEach(
            () -> {
              AttentionCall call = call();
              call.run();
              backward[0] = call.gradients(dout);
              before[0] = backward[0].toString();
              return () -> backward[0].backward(scope);
            },
            () -> {
              assertEquals(before[0], backward[0].toString());
              assertArrayEquals(expectedDquery, backward[0].backward(scope).query().toFloatArray());
            });
    assertTrue(count >= 7, "three gradients too: " + count);
  }

  @Test
  void aForwardThatFailsLeavesItsOutBound() {
    Tensor lengths = scope.allocate(DType.INT32, 1).copyFrom(new int[] {129});
    AttentionCall call = call().keyLengths(lengths);
    operands.out().fill(777);
    assertThrows(IllegalArgumentException.class, () -> call.forward(scope));
    Scope closed = Scope.open(scope.device());
    closed.close();
    assertThrows(IllegalStateException.class, () -> call.forward(closed));
    lengths.copyFrom(new int[] {128});
    assertEquals(777, operands.out().getFloat(0, 0, 0, 0));
    call.run();
    assertArrayEquals(expected, operands.out().toFloatArray());
    int count =
        failEach(
            () -> {
              operands.out().fill(Float.NaN);
              AttentionCall fresh = call();
              return () -> {
                fresh.forward(scope);
                fresh.run();
              };
            },
            () -> assertArrayEquals(expected, operands.out().toFloatArray()));
    assertTrue(count >= 4, "out too: " + count);
  }

  @Test
  void aForwardThatWorksLeavesItsOutBoundAndUntouched() {
    AttentionCall call = call();
    String before = call.toString();
    operands.out().fill(777);
    Tensor first = call.forward(scope);
    Tensor second = call.forward(scope);
    assertFalse(first.address() == second.address());
    assertArrayEquals(expected, first.toFloatArray());
    assertArrayEquals(expected, second.toFloatArray());
    assertEquals(777, operands.out().getFloat(0, 0, 0, 0));
    assertEquals(before, call.toString());
    AttentionCall without =
        Attention.create().call(operands.query(), operands.key(), operands.value());
    without.forward(scope);
    assertThrows(IllegalStateException.class, without::run);
  }

  @Test
  void aForwardIsWhatItsBackwardReads() {
    Tensor out = call().forward(scope);
    AttentionCall call =
        Attention.create().call(operands.query(), operands.key(), operands.value()).lse(lse);
    AttentionBackward backward = call.gradients(dout);
    assertArrayEquals(out.toFloatArray(), call.forward(scope).toFloatArray());
    assertArrayEquals(expectedDquery, backward.backward(scope).query().toFloatArray());
  }

  @Test
  void aForwardInOneCallThatFailsKeepsTheMemoryForTheNext() {
    Attention attention = Attention.create();
    Runnable forward =
        () -> attention.forward(scope, operands.query(), operands.key(), operands.value());
    forward.run();
    Tensor narrow = scope.allocate(DType.FLOAT32, 1, 128, 2, 32);
    assertThrows(
        IllegalArgumentException.class,
        () -> attention.forward(scope, operands.query(), narrow, narrow));
    AtomicInteger allocations = new AtomicInteger();
    hooks.onAllocate = bytes -> allocations.incrementAndGet();
    forward.run();
    assertEquals(1, allocations.get(), "out alone");
  }

  /** It may have written half of what the backward pass would read. */
  @Test
  void aRunThatFailsHasNoBackward() {
    Tensor lengths = scope.allocate(DType.INT32, 1).copyFrom(new int[] {128});
    AttentionCall call = call().keyLengths(lengths);
    AttentionBackward backward = call.gradients(dout);
    call.run();
    backward.backward(scope);
    lengths.copyFrom(new int[] {129});
    assertThrows(IllegalArgumentException.class, call::run);
    lengths.copyFrom(new int[] {128});
    String message =
        assertThrows(IllegalStateException.class, () -> backward.backward(scope)).getMessage();
    assertTrue(message.startsWith("the call has not run"), message);
    call.run();
    assertArrayEquals(expectedDquery, backward.backward(scope).query().toFloatArray());
  }

  /** A setter that refuses its argument changes nothing, nor does it hold the call. */
  @Test
  void aSetterThatThrowsChangesNothing() {
    AttentionCall call = call();
    AttentionBackward backward = call.gradients(dout);
    String before = backward.toString();
    Tensor offsets = scope.allocate(DType.INT32, 2);
    assertThrows(NullPointerException.class, () -> call.cuSeqlens(offsets, null, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> call.cuSeqlens(offsets, offsets, 1, -1));
    assertThrows(NullPointerException.class, () -> call.executor(null));
    assertThrows(NullPointerException.class, () -> backward.dout(null));
    String message =
        assertThrows(IllegalArgumentException.class, () -> call.parallelism(0)).getMessage();
    assertEquals("parallelism is 0, expected at least 1", message);
    assertEquals(before, backward.toString());
    call.run();
    assertArrayEquals(expected, operands.out().toFloatArray());
  }
}

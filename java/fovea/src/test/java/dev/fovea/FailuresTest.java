package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.ffi.Abi;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What the library refuses is told in the words of the Java API. */
class FailuresTest {
  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  private static void assertMessage(String expected, Executable refused) {
    assertEquals(expected, assertThrows(RuntimeException.class, refused).getMessage());
  }

  @Test
  void operandsHaveTheirNames() {
    try (Scope scope = Scope.open()) {
      Tensor query = scope.allocate(DType.FLOAT32, 2, 3, 4, 8);
      Tensor key = scope.allocate(DType.FLOAT32, 2, 5, 2, 8);
      AttentionCall call = Attention.create().call(query, key, key);
      call.queryLengths(scope.copyOf(new int[] {3, 4}, 2));
      assertMessage("queryLengths[1] is 4, expected 0 to 3", () -> call.forward(scope));
      call.queryLengths(null).keyLengths(scope.copyOf(new int[] {-1, 5}, 2));
      assertMessage("keyLengths[0] is -1, expected 0 to 5", () -> call.forward(scope));
    }
  }

  @Test
  void offsetsHaveTheirNames() {
    try (Scope scope = Scope.open()) {
      Tensor rows = scope.allocate(DType.FLOAT32, 10, 2, 8);
      Tensor right = scope.copyOf(new int[] {0, 5, 10}, 3);
      Tensor wrong = scope.copyOf(new int[] {0, 7, 10}, 3);
      Tensor ends = scope.copyOf(new int[] {1, 5, 10}, 3);
      AttentionCall call = Attention.create().call(rows, rows, rows);
      call.cuSeqlens(wrong, right, 5, 5);
      assertMessage(
          "cuSeqlensQ[0] is 0 and cuSeqlensQ[1] is 7, expected rising by at most 5 within [0, 10]",
          () -> call.forward(scope));
      call.cuSeqlens(right, ends, 5, 5);
      assertMessage(
          "cuSeqlensK goes from 1 to 10, expected from 0 to 10", () -> call.forward(scope));
      call.cuSeqlens(right, right, 5, 5).queryLengths(scope.copyOf(new int[] {1, 1}, 2));
      assertMessage(
          "packed query sequences take their lengths from cuSeqlensQ, not from queryLengths",
          () -> call.forward(scope));
    }
  }

  @Test
  void shapesHaveTheirNames() {
    Attention attention = Attention.create();
    AttentionShape wide = AttentionShape.dense(DType.FLOAT32, 1, 2, 3, 1, 1, 577).build();
    assertMessage("headDim is 577, expected 1 to 576", () -> attention.plan(Device.cpu(), wide));
    AttentionShape shape =
        AttentionShape.dense(DType.FLOAT32, 1, 2, 3, 1, 1, 8).lse().dsinks().build();
    assertMessage(
        "dsinks is wanted, but the forward had no sinks",
        () -> attention.plan(Device.cpu(), shape));
    AttentionShape heads = AttentionShape.dense(DType.FLOAT32, 1, 2, 3, 6, 4, 8).build();
    assertMessage(
        "queryHeads is 6, expected a multiple of keyHeads, 4",
        () -> attention.plan(Device.cpu(), heads));
    AttentionShape none =
        AttentionShape.dense(DType.FLOAT32, 1, 2, 3, 1, 1, 8).valueHeadDim(0).build();
    assertMessage("valueHeadDim is 0, expected 1 to 512", () -> attention.plan(Device.cpu(), none));
  }

  @Test
  void kernelsKeepTheirNames() {
    assertEquals(
        "kernel backward_rows takes headDim up to 9",
        Failures.of(Abi.UNSUPPORTED, "kernel backward_rows takes head_dim up to 9").getMessage());
    assertEquals(
        "flash_cpu_avx2_4x64 is not here",
        Failures.of(Abi.INVALID_ARGUMENT, "flash_cpu_avx2_4x64 is not here").getMessage());
  }
}

package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Memory that no tensor can lie in is an exception, whatever it would be an operand of. */
class TensorErrorTest {

  private static void refused(String word, Executable action) {
    IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class, action);
    assertNotNull(thrown.getMessage());
    assertTrue(
        thrown.getMessage().contains(word), "message names " + word + ": " + thrown.getMessage());
  }

  @Test
  void heapMemory() {
    refused("heap", () -> Tensor.of(MemorySegment.ofArray(new float[8]), DType.FLOAT32, 8));
  }

  @Test
  void memoryTooShort() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment small = arena.allocate(32, 64);
      assertEquals(8, Tensor.of(small, DType.FLOAT32, 8).elements());
      refused("", () -> Tensor.of(small, DType.FLOAT32, 9));
      refused("", () -> Tensor.of(small, DType.FLOAT32, new long[] {2, 4}, new long[] {5, 1}));
      refused("", () -> Tensor.of(small, DType.FLOAT32, new long[] {8}, new long[] {-1}));
      // A dimension of one element may have any stride.
      Tensor.of(small, DType.FLOAT32, new long[] {1, 8}, new long[] {Layout.ABSURD, 1});
    }
  }

  @Test
  void misalignedMemory() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(64, 64).asSlice(2, 32);
      refused("", () -> Tensor.of(memory, DType.FLOAT32, 8));
      assertEquals(8, Tensor.of(memory, DType.FLOAT16, 8).elements());
    }
  }
}

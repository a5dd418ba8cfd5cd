package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory of a device: contents, copies, and when it is freed. */
class CudaMemoryTest {
  private static final int CHUNK = (int) (Staging.CHUNK / Float.BYTES);

  @Test
  void memoryIsZeroedAndAligned() {
    try (Scope scope = Scope.open(Samples.FIRST)) {
      for (DType type : DType.values()) {
        Tensor tensor = scope.allocate(type, 3, 7);
        assertEquals(0, tensor.address() % 256);
        switch (type) {
          case INT32 -> assertArrayEquals(new int[21], tensor.toIntArray());
          case BOOL -> assertArrayEquals(new boolean[21], tensor.toBooleanArray());
          case INT8, INT4X2, FLOAT8_E4M3 -> assertArrayEquals(new byte[21], tensor.toByteArray());
          default -> assertArrayEquals(new float[21], tensor.toFloatArray());
        }
      }
      assertThrows(
          UnsupportedOperationException.class, () -> scope.allocate(DType.FLOAT32, 1).segment());
    }
  }

  /** Nothing, odd sizes, and around one and two of the buffers that copies go through. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 1027, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK / 2 + 3})
  void arraysComeBackAsTheyWent(int count) {
    float[] values = Samples.random(count, count);
    try (Scope scope = Scope.open(Samples.FIRST)) {
      assertArrayEquals(values, scope.copyOf(values, count).toFloatArray());
    }
  }

  /** So any stream may use the memory, also where no scope knows of it. */
  @Test
  void copiesFromTheHostAreDoneWhenTheyReturn() {
    try (Scope scope = Scope.open(Samples.FIRST)) {
      scope.allocate(DType.FLOAT32, 10).copyFrom(new float[10]);
      assertEquals(0, Stub.pending(Samples.FIRST.stream().handle()));
    }
  }

  @Test
  void bytesOfAnyNumberAreCopied() {
    float[] values = Samples.random(2 * CHUNK + 1, 7); // an odd number of 16-bit elements
    try (Scope scope = Scope.open(Samples.FIRST);
        Scope host = Scope.open()) {
      Tensor there = scope.allocate(DType.BFLOAT16, values.length).copyFrom(values);
      Tensor here = host.allocate(DType.BFLOAT16, values.length).copyFrom(values);
      assertArrayEquals(here.toFloatArray(), there.toFloatArray());
    }
  }

  @Test
  void viewsChangeTheirElementsAlone() {
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Tensor all = scope.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      all.select(1, 1).copyFrom(new float[] {20, 50});
      all.slice(0, 1, 2).slice(1, 2, 3).fill(60);
      all.setFloat(10, 0, 0);
      assertArrayEquals(new float[] {10, 20, 3, 4, 50, 60}, all.toFloatArray());
      assertEquals(50, all.getFloat(1, 1));
      assertArrayEquals(
          new float[] {10, 4, 20, 50, 3, 60},
          scope.allocate(DType.FLOAT32, 3, 2).copyFrom(all.permute(1, 0)).toFloatArray());
    }
  }

  @Test
  void tensorsAreCopiedWithinADeviceWithoutTheHost() {
    float[] values = Samples.random(100, 1);
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Tensor from = scope.copyOf(values, 100);
      Tensor to = scope.allocate(DType.FLOAT32, 100);
      long before = Stub.calls("cuMemcpyDtoHAsync");
      to.copyFrom(from);
      assertEquals(before, Stub.calls("cuMemcpyDtoHAsync"));
      assertArrayEquals(values, to.toFloatArray());
      to.slice(0, 10, 20).copyFrom(from.slice(0, 0, 10));
      assertArrayEquals(
          Arrays.copyOf(values, 10), to.slice(0, 10, 20).toFloatArray(), "a dense part");
      assertThrows(
          IllegalArgumentException.class, () -> to.copyFrom(scope.allocate(DType.FLOAT32, 99)));
      scope.allocate(DType.FLOAT32, 0).copyFrom(scope.allocate(DType.FLOAT32, 0));
    }
  }

  @Test
  void tensorsAreCopiedBetweenDevices() {
    float[] values = Samples.random(100, 1);
    try (Scope host = Scope.open();
        Scope first = Scope.open(Samples.FIRST);
        Scope second = Scope.open(Samples.SECOND)) {
      Tensor a = first.allocate(DType.FLOAT32, 100).copyFrom(host.copyOf(values, 100));
      Tensor b = second.allocate(DType.FLOAT32, 100).copyFrom(a);
      assertArrayEquals(values, host.allocate(DType.FLOAT32, 100).copyFrom(b).toFloatArray());
      Tensor half = second.allocate(DType.FLOAT16, 100).copyFrom(a);
      assertEquals(Float.float16ToFloat(Float.floatToFloat16(values[3])), half.getFloat(3));
    }
  }

  @Test
  void aClosedScopeFreesItsMemoryAndIsRefused() {
    Scope scope = Scope.open(Samples.FIRST);
    Tensor tensor = scope.allocate(DType.FLOAT32, 12_345);
    scope.allocate(DType.FLOAT32, 0);
    assertEquals(1, Stub.blocks(4 * 12_345));
    scope.close();
    Samples.FIRST.stream().synchronize();
    assertEquals(0, Stub.blocks(4 * 12_345));
    assertThrows(IllegalStateException.class, tensor::toFloatArray);
    assertThrows(IllegalStateException.class, () -> tensor.fill(1));
    assertThrows(IllegalStateException.class, () -> scope.allocate(DType.FLOAT32, 1));
  }

  @Test
  void memoryThatIsFreedInTheStreamCanBeHadAgain() {
    for (int i = 0; i < 5; i++) {
      try (Scope scope = Scope.open(Samples.FIRST)) {
        scope.allocate(DType.FLOAT32, Stub.MEMORY / 2 / Float.BYTES);
      }
    }
  }

  @Test
  void copiesOfManyThreadsDoNotMix() throws Exception {
    try (Scope scope = Scope.open(Samples.FIRST);
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var results = new java.util.ArrayList<Future<Boolean>>();
      for (int i = 0; i < 32; i++) {
        float[] values = Samples.random(5000 + i, i);
        results.add(
            threads.submit(
                () -> Arrays.equals(values, scope.copyOf(values, values.length).toFloatArray())));
      }
      for (Future<Boolean> result : results) {
        assertTrue(result.get());
      }
    }
  }
}

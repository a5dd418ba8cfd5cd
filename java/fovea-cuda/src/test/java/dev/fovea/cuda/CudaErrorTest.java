package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.DeviceLostException;
import dev.fovea.FoveaException;
import dev.fovea.Scope;
import dev.fovea.Status;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Failures of driver and device become exceptions that say what, and nothing leaks or crashes. */
class CudaErrorTest {
  @AfterEach
  void heal() {
    Stub.lose(0);
    JCudaDriver.setExceptionsEnabled(false);
  }

  @Test
  void tooLittleMemorySaysHowMuchThereIs() {
    try (Scope scope = Scope.open(Samples.SECOND)) {
      scope.allocate(DType.FLOAT32, 1 << 20);
      FoveaException e =
          assertThrows(
              FoveaException.class, () -> scope.allocate(DType.FLOAT32, Stub.MEMORY / Float.BYTES));
      assertEquals(Status.OUT_OF_MEMORY, e.status());
      assertEquals(
          "cuda:1 cannot allocate 1,073,741,824 bytes: 1,069,547,520 of 1,073,741,824 are free."
              + " cuMemAllocAsync: CUDA_ERROR_OUT_OF_MEMORY (out of memory)",
          e.getMessage());
      assertEquals(0, scope.allocate(DType.FLOAT32, 1).getFloat(0), "the device still works");
    }
  }

  @Test
  void aRefusalNamesFunctionCodeAndText() {
    Stub.fail("cuStreamCreate", 400);
    FoveaException e = assertThrows(FoveaException.class, () -> Stream.open(Samples.FIRST));
    assertEquals(Status.DEVICE_ERROR, e.status());
    assertEquals(
        "cuStreamCreate: CUDA_ERROR_INVALID_HANDLE (invalid resource handle)", e.getMessage());
    Stub.fail("cuStreamCreate", 4711);
    e = assertThrows(FoveaException.class, () -> Stream.open(Samples.FIRST));
    assertEquals("cuStreamCreate: CUDA error 4711", e.getMessage());
    Stream.open(Samples.FIRST).close();
  }

  /** JCuda's switch belongs to the process, and so perhaps to somebody else. */
  @Test
  void exceptionsOfJCudaAreOursToo() {
    JCudaDriver.setExceptionsEnabled(true);
    Stub.fail("cuStreamCreate", 400);
    FoveaException e = assertThrows(FoveaException.class, () -> Stream.open(Samples.FIRST));
    assertEquals(
        "cuStreamCreate: CUDA_ERROR_INVALID_HANDLE (invalid resource handle)", e.getMessage());
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Stub.fail("cuMemAllocAsync", Stub.OUT_OF_MEMORY);
      e = assertThrows(FoveaException.class, () -> scope.allocate(DType.FLOAT32, 1));
      assertEquals(Status.OUT_OF_MEMORY, e.status());
      assertEquals(4, Samples.tensor(scope, 4).getFloat(0, 0, 0, 0));
    }
  }

  @Test
  void aFailedZeroingLeavesNoMemoryBehind() {
    try (Scope scope = Scope.open(Samples.FIRST)) {
      Stub.fail("cuMemsetD8Async", 1);
      assertThrows(FoveaException.class, () -> scope.allocate(DType.FLOAT32, 54_321));
      Samples.FIRST.stream().synchronize();
      assertEquals(0, Stub.blocks(4 * 54_321));
    }
  }

  @Test
  void aStickyErrorLosesTheDevice() {
    Scope scope = Scope.open(Samples.FIRST);
    Tensor from = Samples.tensor(scope, 1);
    Tensor to = scope.allocate(DType.FLOAT32, Samples.SHAPE);
    AttentionCall call = Samples.COPY.call(from, from, from).out(to);
    call.run();
    Stub.lose(Stub.ILLEGAL_ADDRESS);
    DeviceLostException e = assertThrows(DeviceLostException.class, to::toFloatArray);
    assertEquals(Status.DEVICE_LOST, e.status());
    assertTrue(
        e.getMessage()
            .endsWith("CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"),
        e.getMessage());
    assertThrows(DeviceLostException.class, call::run);
    assertThrows(DeviceLostException.class, () -> from.fill(2));
    assertThrows(DeviceLostException.class, () -> scope.allocate(DType.FLOAT32, 1));
    assertThrows(DeviceLostException.class, Samples.FIRST.stream()::synchronize);
    assertThrows(DeviceLostException.class, () -> Stream.open(Samples.FIRST));
    assertThrows(DeviceLostException.class, scope::close);
    scope.close(); // is closed, and does nothing
  }

  @Test
  void memoryOfSomeoneElseThatIsGoneLosesTheDevice() {
    var memory = DriverCalls.allocate(Samples.FIRST, 64);
    Tensor tensor =
        Tensor.ofAddress(
            Samples.FIRST,
            JCudaHandles.value(memory),
            DType.FLOAT32,
            new long[] {16},
            new long[] {1});
    DriverCalls.free(memory);
    DriverCalls.clearContext();
    assertThrows(DeviceLostException.class, tensor::toFloatArray);
  }

  @Test
  void operandsOfAnotherDeviceAreRefused() {
    try (Scope first = Scope.open(Samples.FIRST);
        Scope second = Scope.open(Samples.SECOND);
        Scope host = Scope.open()) {
      Tensor from = Samples.tensor(first, 1);
      for (Scope other : new Scope[] {second, host}) {
        Tensor to = Samples.tensor(other, 0);
        String message =
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Samples.COPY.call(from, from, from).out(to).run())
                .getMessage();
        assertEquals(
            "out is on %s, expected the device of query, cuda:0".formatted(other.device()),
            message);
      }
      assertThrows(IllegalArgumentException.class, () -> from.on(Samples.SECOND));
    }
  }

  @Test
  void aClosedScopeIsRefused() {
    try (Scope results = Scope.open(Samples.FIRST)) {
      Tensor to = Samples.tensor(results, 0);
      Scope scope = Scope.open(Samples.FIRST);
      Tensor from = Samples.tensor(scope, 1);
      AttentionCall call = Samples.COPY.call(from, from, from).out(to);
      call.run();
      scope.close();
      assertThrows(IllegalStateException.class, call::run);
      Samples.assertHolds(1, to);
    }
  }
}

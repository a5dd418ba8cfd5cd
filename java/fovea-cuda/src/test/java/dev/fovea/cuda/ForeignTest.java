package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Stream;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory and streams of somebody who uses the driver beside us. */
class ForeignTest {
  @AfterEach
  void clearContext() {
    DriverCalls.clearContext();
  }

  private static Tensor view(CUdeviceptr memory, long... shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int dim = shape.length - 1; dim >= 0; dim--) {
      strides[dim] = stride;
      stride *= shape[dim];
    }
    return Tensor.ofAddress(
        Samples.FIRST, JCudaHandles.value(memory), DType.FLOAT32, shape, strides);
  }

  /** Its work, then ours, in its stream and its memory; then freed by itself. */
  @Test
  void callsRunOnForeignMemoryInAForeignStream() {
    CUdeviceptr from = DriverCalls.allocate(Samples.FIRST, 64);
    CUdeviceptr to = DriverCalls.allocate(Samples.FIRST, 64);
    CUstream theirs = DriverCalls.openStream(Samples.FIRST);
    try (Stream stream = Stream.ofHandle(Samples.FIRST, JCudaHandles.value(theirs))) {
      assertEquals(JCudaHandles.value(theirs), stream.handle());
      DriverCalls.fill(from, 6, 16, theirs);
      Tensor input = view(from, Samples.SHAPE);
      Tensor output = view(to, Samples.SHAPE);
      Samples.COPY.call(input, input, input).out(output).stream(stream).run();
      stream.synchronize();
      Samples.assertHolds(6, output);
    }
    DriverCalls.close(theirs); // still there
    DriverCalls.free(from);
    DriverCalls.free(to);
  }

  /** Closing our view of a stream is the last thing that needs its handle. */
  @Test
  void scopesCloseAfterTheForeignStreamIsGone() {
    CUstream theirs = DriverCalls.openStream(Samples.FIRST);
    try (Scope results = Scope.open(Samples.FIRST)) {
      Tensor to = results.allocate(DType.FLOAT32, Samples.SHAPE);
      try (Scope scope = Scope.open(Samples.FIRST)) {
        Tensor from = Samples.tensor(scope, 8);
        try (Stream stream = Stream.ofHandle(Samples.FIRST, JCudaHandles.value(theirs))) {
          Samples.COPY.call(from, from, from).out(to).stream(stream).run();
        }
        DriverCalls.close(theirs);
      }
      Samples.assertHolds(8, to);
    }
  }

  @Test
  void theDefaultStreamOfTheDriverIsAStream() {
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.ofHandle(Samples.FIRST, 0)) {
      Tensor from = Samples.tensor(scope, 8);
      Samples.assertHolds(8, Samples.COPY.call(from, from, from).stream(stream).forward(scope));
    }
  }

  @Test
  void stridesAreTheirs() {
    CUdeviceptr memory = DriverCalls.allocate(Samples.FIRST, 6 * 4);
    view(memory, 6).copyFrom(new float[] {1, 2, 3, 4, 5, 6});
    Tensor columns =
        Tensor.ofAddress(
            Samples.FIRST,
            JCudaHandles.value(memory),
            DType.FLOAT32,
            new long[] {3, 2},
            new long[] {1, 3});
    assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, columns.toFloatArray());
    DriverCalls.setContext(Samples.FIRST);
    DriverCalls.free(memory);
  }

  @Test
  void addressesThatAreNotOfTheDeviceAreRefused() {
    long[] one = {1};
    try (Scope scope = Scope.open(Samples.SECOND);
        Scope host = Scope.open()) {
      long elsewhere = scope.allocate(DType.FLOAT32, 1).address();
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> Tensor.ofAddress(Samples.FIRST, elsewhere, DType.FLOAT32, one, one))
              .getMessage();
      assertTrue(message.endsWith(" is memory of cuda:1, not of cuda:0"), message);
      long unknown = host.allocate(DType.FLOAT32, 1).address();
      assertThrows(
          IllegalArgumentException.class,
          () -> Tensor.ofAddress(Samples.FIRST, unknown, DType.FLOAT32, one, one));
    }
  }

  /** A capture by other means: we add our work and nothing else. */
  @Test
  void aForeignCaptureSeesOurKernelsAlone() {
    CUstream theirs = DriverCalls.openStream(Samples.FIRST);
    try (Scope scope = Scope.open(Samples.FIRST);
        Stream stream = Stream.ofHandle(Samples.FIRST, JCudaHandles.value(theirs))) {
      Tensor from = Samples.tensor(scope, 2);
      Tensor to = scope.allocate(DType.FLOAT32, Samples.SHAPE);
      var call = Samples.COPY.call(from, from, from).out(to).stream(stream);
      call.plan();
      Samples.FIRST.stream().synchronize();
      var streams = Devices.backend(Samples.FIRST).streams();
      streams.beginCapture(stream.handle());
      call.run();
      long graph = streams.endCapture(stream.handle());
      Samples.assertHolds(0, to);
      streams.launch(graph, stream.handle());
      stream.synchronize();
      Samples.assertHolds(2, to);
      streams.closeGraph(graph);
    }
    DriverCalls.close(theirs);
  }
}

package dev.fovea.cuda;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventQuery;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuMemAllocAsync;
import static jcuda.driver.JCudaDriver.cuMemFreeAsync;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static jcuda.driver.JCudaDriver.cuStreamIsCapturing;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import dev.fovea.FoveaException;
import dev.fovea.Status;
import dev.fovea.spi.DeviceStreams;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstreamCaptureStatus;
import jcuda.driver.CUstream_flags;

/** Each method is the driver's function of that name, on handles that are numbers. */
final class CudaStreams implements DeviceStreams {
  private final String device;
  private final PrimaryContext context;
  private final CUstream own;

  CudaStreams(String device, PrimaryContext context) {
    this.device = device;
    this.context = context;
    this.own = JCudaHandles.stream(openStream());
  }

  /** The device's own stream. */
  CUstream own() {
    return own;
  }

  @Override
  public long allocate(long bytes) {
    CUdeviceptr memory = new CUdeviceptr();
    context.enter();
    try {
      int result = Driver.result(() -> cuMemAllocAsync(memory, bytes, own));
      if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
        throw outOfMemory(bytes, result);
      }
      Driver.call("cuMemAllocAsync", () -> result);
      int zeroed = Driver.result(() -> cuMemsetD8Async(memory, (byte) 0, bytes, own));
      if (zeroed != CUresult.CUDA_SUCCESS) {
        Driver.result(() -> cuMemFreeAsync(memory, own)); // nobody would know of it
        throw Driver.failure("cuMemsetD8Async", zeroed);
      }
    } finally {
      context.leave();
    }
    return JCudaHandles.value(memory);
  }

  private FoveaException outOfMemory(long bytes, int result) {
    long[] free = new long[1];
    long[] total = new long[1];
    Driver.call("cuMemGetInfo", () -> cuMemGetInfo(free, total));
    return new FoveaException(
        Status.OUT_OF_MEMORY,
        "%s cannot allocate %,d bytes: %,d of %,d are free. cuMemAllocAsync: %s"
            .formatted(device, bytes, free[0], total[0], Driver.describe(result)));
  }

  @Override
  public void free(long address) {
    context.call("cuMemFreeAsync", () -> cuMemFreeAsync(JCudaHandles.device(address), own));
  }

  @Override
  public void copy(long from, long to, long bytes) {
    context.call(
        "cuMemcpyDtoDAsync",
        () -> cuMemcpyDtoDAsync(JCudaHandles.device(to), JCudaHandles.device(from), bytes, own));
  }

  @Override
  public long openStream() {
    CUstream stream = new CUstream();
    // Not ordered with the default stream: what others do there must not hold it up.
    context.call(
        "cuStreamCreate", () -> cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
    return JCudaHandles.value(stream);
  }

  @Override
  public void closeStream(long stream) {
    context.call("cuStreamDestroy", () -> cuStreamDestroy(JCudaHandles.stream(stream)));
  }

  @Override
  public void synchronize(long stream) {
    context.call("cuStreamSynchronize", () -> cuStreamSynchronize(JCudaHandles.stream(stream)));
  }

  @Override
  public boolean isCapturing(long stream) {
    int[] status = new int[1];
    context.call(
        "cuStreamIsCapturing", () -> cuStreamIsCapturing(JCudaHandles.stream(stream), status));
    return status[0] != CUstreamCaptureStatus.CU_STREAM_CAPTURE_STATUS_NONE;
  }

  @Override
  public long openEvent(boolean timed) {
    CUevent event = new CUevent();
    int flags = timed ? CUevent_flags.CU_EVENT_DEFAULT : CUevent_flags.CU_EVENT_DISABLE_TIMING;
    context.call("cuEventCreate", () -> cuEventCreate(event, flags));
    return JCudaHandles.value(event);
  }

  @Override
  public void closeEvent(long event) {
    context.call("cuEventDestroy", () -> cuEventDestroy(JCudaHandles.event(event)));
  }

  @Override
  public void record(long event, long stream) {
    context.call(
        "cuEventRecord",
        () -> cuEventRecord(JCudaHandles.event(event), JCudaHandles.stream(stream)));
  }

  @Override
  public void await(long stream, long event) {
    context.call(
        "cuStreamWaitEvent",
        () -> cuStreamWaitEvent(JCudaHandles.stream(stream), JCudaHandles.event(event), 0));
  }

  @Override
  public void synchronizeEvent(long event) {
    context.call("cuEventSynchronize", () -> cuEventSynchronize(JCudaHandles.event(event)));
  }

  @Override
  public boolean isDone(long event) {
    boolean[] done = {true};
    context.call(
        "cuEventQuery",
        () -> {
          int result = cuEventQuery(JCudaHandles.event(event));
          done[0] = result != CUresult.CUDA_ERROR_NOT_READY;
          return done[0] ? result : CUresult.CUDA_SUCCESS;
        });
    return done[0];
  }

  @Override
  public double milliseconds(long from, long to) {
    float[] milliseconds = new float[1];
    context.call(
        "cuEventElapsedTime",
        () -> cuEventElapsedTime(milliseconds, JCudaHandles.event(from), JCudaHandles.event(to)));
    return milliseconds[0];
  }

  @Override
  public void beginCapture(long stream) {
    // In the other modes the OS thread that began must end it, and a virtual thread has none.
    context.call(
        "cuStreamBeginCapture",
        () ->
            cuStreamBeginCapture(
                JCudaHandles.stream(stream), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED));
  }

  @Override
  public long endCapture(long stream) {
    CUgraph graph = new CUgraph();
    CUgraphExec executable = new CUgraphExec();
    context.call(
        "cuStreamEndCapture", () -> cuStreamEndCapture(JCudaHandles.stream(stream), graph));
    try {
      context.call("cuGraphInstantiate", () -> cuGraphInstantiate(executable, graph, 0));
    } finally {
      context.call("cuGraphDestroy", () -> cuGraphDestroy(graph));
    }
    return JCudaHandles.value(executable);
  }

  @Override
  public void launch(long graph, long stream) {
    context.call(
        "cuGraphLaunch",
        () -> cuGraphLaunch(JCudaHandles.graph(graph), JCudaHandles.stream(stream)));
  }

  @Override
  public void closeGraph(long graph) {
    context.call("cuGraphExecDestroy", () -> cuGraphExecDestroy(JCudaHandles.graph(graph)));
  }
}

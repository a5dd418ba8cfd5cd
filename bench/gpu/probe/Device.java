package dev.fovea.probe;

import static jcuda.driver.JCudaDriver.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;

/**
 * A device as JCuda's driver API manages it: its primary context, one stream and memory. For one
 * thread.
 */
final class Device implements AutoCloseable {
  private static final byte POISON = (byte) 0xFF; // a NaN in every float format
  private static final long GUARD_BYTES = 256; // also keeps what lies between the guards aligned

  private final CUdevice device = new CUdevice();
  private final CUstream stream = new CUstream();

  private Device(int ordinal) {
    setExceptionsEnabled(true);
    cuInit(0);
    cuDeviceGet(device, ordinal);
    var context = new CUcontext();
    cuDevicePrimaryCtxRetain(context, device);
    cuCtxSetCurrent(context);
    // Not ordered with the default stream: work that strayed there would be seen.
    cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
  }

  static Device open(int ordinal) {
    return new Device(ordinal);
  }

  String name() {
    var bytes = new byte[256];
    cuDeviceGetName(bytes, bytes.length, device);
    int length = 0;
    while (bytes[length] != 0) length++;
    return new String(bytes, 0, length, StandardCharsets.UTF_8);
  }

  /** The CUDA version the driver supports: 1000 * major + 10 * minor. */
  int driverVersion() {
    var version = new int[1];
    cuDriverGetVersion(version);
    return version[0];
  }

  int multiprocessors() {
    return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  }

  int computeCapability() {
    return 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  int sharedMemoryOptin() {
    return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  }

  private int attribute(int attribute) {
    var value = new int[1];
    cuDeviceGetAttribute(value, attribute, device);
    return value[0];
  }

  MemorySegment stream() {
    return JCudaHandles.address(stream);
  }

  void synchronize() {
    cuStreamSynchronize(stream);
  }

  /** Records what {@code work} puts on the stream as a graph and launches that once. */
  void replay(Runnable work) {
    var graph = new CUgraph();
    cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    try {
      work.run();
    } finally {
      cuStreamEndCapture(
          stream, graph); // also when work fails: a stream left capturing is of no more use
    }
    var executable = new CUgraphExec();
    cuGraphInstantiate(executable, graph, 0);
    cuGraphLaunch(executable, stream);
    cuGraphExecDestroy(executable); // the driver keeps it until the launch is over
    cuGraphDestroy(graph);
  }

  @Override
  public void close() {
    cuStreamDestroy(stream);
    cuDevicePrimaryCtxRelease(device);
  }

  /** Device memory between two guards, all of it poisoned. */
  final class Memory implements AutoCloseable {
    private final CUdeviceptr base = new CUdeviceptr();
    private final long bytes;

    Memory(long bytes) {
      this.bytes = bytes;
      cuMemAlloc(base, bytes + 2 * GUARD_BYTES);
      cuMemsetD8Async(base, POISON, bytes + 2 * GUARD_BYTES, stream);
    }

    /** Holding the contents of a host segment. */
    Memory(MemorySegment contents) {
      this(contents.byteSize());
      cuMemcpyHtoDAsync(data(), JCudaHandles.pointer(contents), bytes, stream);
      synchronize();
    }

    MemorySegment address() {
      return JCudaHandles.address(data());
    }

    /** Waits for the stream and returns the contents; fails where a guard was overwritten. */
    MemorySegment download(Arena arena) {
      var all = arena.allocate(bytes + 2 * GUARD_BYTES);
      cuMemcpyDtoHAsync(JCudaHandles.pointer(all), base, all.byteSize(), stream);
      synchronize();
      for (long i = 0; i < GUARD_BYTES; i++) {
        if (all.get(ValueLayout.JAVA_BYTE, i) != POISON)
          throw new IllegalStateException(
              "byte " + (GUARD_BYTES - i) + " before the output was overwritten");
        if (all.get(ValueLayout.JAVA_BYTE, GUARD_BYTES + bytes + i) != POISON)
          throw new IllegalStateException("byte " + (i + 1) + " after the output was overwritten");
      }
      return all.asSlice(GUARD_BYTES, bytes);
    }

    private CUdeviceptr data() {
      return base.withByteOffset(GUARD_BYTES);
    }

    @Override
    public void close() {
      cuMemFree(base);
    }
  }
}

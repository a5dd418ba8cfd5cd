package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Device;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/** What a program does that uses JCuda itself. */
final class DriverCalls {
  private DriverCalls() {}

  private static CUcontext primary(Device device) {
    CUdevice ordinal = new CUdevice();
    CUcontext context = new CUcontext();
    int index = Integer.parseInt(device.name().substring("cuda:".length()));
    check(JCudaDriver.cuDeviceGet(ordinal, index));
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, ordinal));
    return context;
  }

  static void setContext(Device device) {
    check(JCudaDriver.cuCtxSetCurrent(primary(device)));
  }

  static void clearContext() {
    check(JCudaDriver.cuCtxSetCurrent(new CUcontext()));
  }

  static long context(Device device) {
    return JCudaHandles.value(primary(device));
  }

  static long currentContext() {
    CUcontext context = new CUcontext();
    check(JCudaDriver.cuCtxGetCurrent(context));
    return JCudaHandles.value(context);
  }

  /** Memory of {@code device}, which becomes current. */
  static CUdeviceptr allocate(Device device, long bytes) {
    setContext(device);
    CUdeviceptr memory = new CUdeviceptr();
    check(JCudaDriver.cuMemAlloc(memory, bytes));
    return memory;
  }

  static void free(CUdeviceptr memory) {
    check(JCudaDriver.cuMemFree(memory));
  }

  /** Queues that the memory is filled with one number. */
  static void fill(CUdeviceptr memory, float value, long count, CUstream stream) {
    check(JCudaDriver.cuMemsetD32Async(memory, Float.floatToRawIntBits(value), count, stream));
  }

  static CUstream openStream(Device device) {
    setContext(device);
    CUstream stream = new CUstream();
    check(JCudaDriver.cuStreamCreate(stream, 1));
    return stream;
  }

  static void close(CUstream stream) {
    check(JCudaDriver.cuStreamDestroy(stream));
  }

  private static void check(int result) {
    assertEquals(0, result);
  }
}

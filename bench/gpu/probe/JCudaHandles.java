package dev.fovea.probe;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.runtime.cudaStream_t;

/**
 * Raw addresses out of JCuda's objects and into them. JCuda shows them to subclasses only, and
 * {@code CUstream} lets nobody else extend it usefully, so a stream goes by way of its runtime
 * twin, which holds the same handle.
 */
final class JCudaHandles {
  private JCudaHandles() {}

  static MemorySegment address(CUdeviceptr pointer) {
    return MemorySegment.ofAddress(new DeviceAddress(pointer).value());
  }

  static MemorySegment address(CUstream stream) {
    return MemorySegment.ofAddress(new StreamHandle(stream).value());
  }

  /** The caller keeps the segment alive while JCuda uses the pointer. */
  static Pointer pointer(MemorySegment host) {
    return new HostPointer(host.address());
  }

  private static final class DeviceAddress extends CUdeviceptr {
    DeviceAddress(CUdeviceptr pointer) {
      super(pointer);
    }

    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  private static final class StreamHandle extends cudaStream_t {
    StreamHandle(CUstream stream) {
      super(stream);
    }

    long value() {
      return getNativePointer();
    }
  }

  private static final class HostPointer extends Pointer {
    HostPointer(long address) {
      super(address);
    }
  }
}

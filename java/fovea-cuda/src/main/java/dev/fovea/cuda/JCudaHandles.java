package dev.fovea.cuda;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;

/**
 * JCuda's objects from raw numbers and back. It has no public way for either, so this is the one
 * class that looks into it: at the field that its own native code reads.
 */
final class JCudaHandles {
  private static final VarHandle VALUE;

  static {
    try {
      VALUE =
          MethodHandles.privateLookupIn(NativePointerObject.class, MethodHandles.lookup())
              .findVarHandle(NativePointerObject.class, "nativePointer", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private JCudaHandles() {}

  static long value(NativePointerObject handle) {
    return (long) VALUE.get(handle);
  }

  static CUdeviceptr device(long address) {
    return with(address, new CUdeviceptr());
  }

  static Pointer host(long address) {
    return with(address, new Pointer());
  }

  static CUstream stream(long handle) {
    return with(handle, new CUstream());
  }

  static CUevent event(long handle) {
    return with(handle, new CUevent());
  }

  static CUgraphExec graph(long handle) {
    return with(handle, new CUgraphExec());
  }

  private static <T extends NativePointerObject> T with(long value, T handle) {
    VALUE.set(handle, value);
    return handle;
  }
}

package dev.fovea.cuda;

import static jcuda.driver.JCudaDriver.cuCtxPopCurrent;
import static jcuda.driver.JCudaDriver.cuCtxPushCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;

import java.util.function.IntSupplier;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;

/**
 * The context of a device that all of a process shares, and the runtime API with it. Held until the
 * process ends.
 *
 * <p>The driver keeps the current context by OS thread, and a virtual thread may wake up on another
 * one. So nobody relies on what was set before: every group of calls pushes the context and pops
 * it, which also leaves a context of the caller's own in its place.
 */
final class PrimaryContext {
  private final CUcontext context = new CUcontext();
  private final CUcontext popped = new CUcontext(); // which nobody reads

  // Made once: runs allocate nothing on the Java heap.
  private final IntSupplier push = () -> cuCtxPushCurrent(context);
  private final IntSupplier pop = () -> cuCtxPopCurrent(popped);

  PrimaryContext(int ordinal) {
    CUdevice device = new CUdevice();
    Driver.call("cuDeviceGet", () -> cuDeviceGet(device, ordinal));
    Driver.call("cuDevicePrimaryCtxRetain", () -> cuDevicePrimaryCtxRetain(context, device));
  }

  /** Makes it current on this OS thread until {@link #leave}. */
  void enter() {
    Driver.call("cuCtxPushCurrent", push);
  }

  /** Only a broken context fails to be popped, and every other call says so. */
  void leave() {
    Driver.result(pop);
  }

  /** One call with the context current. */
  void call(String function, IntSupplier body) {
    enter();
    try {
      Driver.call(function, body);
    } finally {
      leave();
    }
  }
}

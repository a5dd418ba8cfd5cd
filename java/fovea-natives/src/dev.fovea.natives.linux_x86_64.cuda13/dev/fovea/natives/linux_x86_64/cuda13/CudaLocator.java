package dev.fovea.natives.linux_x86_64.cuda13;

import dev.fovea.ffi.ResourceLocator;

/** Finds libfovea_cuda.so beside this class. */
public final class CudaLocator extends ResourceLocator {
  public CudaLocator() {
    super("fovea_cuda", "amd64", "x86_64");
  }
}

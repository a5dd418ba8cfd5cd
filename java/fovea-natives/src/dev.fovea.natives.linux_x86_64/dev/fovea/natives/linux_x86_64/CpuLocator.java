package dev.fovea.natives.linux_x86_64;

import dev.fovea.ffi.ResourceLocator;

/** Finds libfovea_cpu.so beside this class. */
public final class CpuLocator extends ResourceLocator {
  public CpuLocator() {
    super("fovea_cpu", "amd64", "x86_64");
  }
}

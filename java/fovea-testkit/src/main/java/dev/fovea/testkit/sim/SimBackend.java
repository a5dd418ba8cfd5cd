package dev.fovea.testkit.sim;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A GPU whose kernels run on the CPU, on the thread of the caller and in host memory. */
final class SimBackend implements DeviceBackend {

  private final NativeLibrary library;
  private final MemorySegment info;

  SimBackend(NativeLibrary library, MemorySegment info) {
    this.library = library;
    this.info = info;
  }

  @Override
  public String name() {
    return "sim:sm_" + FoveaDeviceInfo.COMPUTE_CAPABILITY.get(info);
  }

  @Override
  public String description() {
    return FoveaDeviceInfo.NAME.get(info) + ", for tests";
  }

  @Override
  public NativeLibrary library() {
    return library;
  }

  @Override
  public MemorySegment info() {
    return info;
  }

  @Override
  public boolean hostMemory() {
    return true;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    return arena.allocate(bytes, Abi.ALIGNMENT);
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    device.copyFrom(host);
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    host.copyFrom(device);
  }

  /** The simulator has none, and takes the index of the device instead, whose arithmetic it has. */
  @Override
  public MemorySegment stream() {
    return MemorySegment.ofAddress(FoveaDeviceInfo.INDEX.get(info));
  }
}

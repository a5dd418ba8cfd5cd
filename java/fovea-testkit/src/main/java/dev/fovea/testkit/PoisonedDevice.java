package dev.fovea.testkit;

import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A device whose new memory is NaN in every type: what workspace and scratch hold before a run,
 * zeros where memory is fresh, has no part in a result. And if it is a GPU, one of few
 * multiprocessors: kernels whose blocks take one item after another do so in small cases, too.
 */
public final class PoisonedDevice {

  private static final int MULTIPROCESSORS = 5;

  private PoisonedDevice() {}

  /** The same device so, if the host can write its memory; otherwise the device itself. */
  public static Device of(Device device) {
    DeviceBackend backend = Devices.backend(device);
    return backend.hostMemory() ? Devices.of(new Backend(backend, small(backend))) : device;
  }

  private static MemorySegment small(DeviceBackend device) {
    MemorySegment info = Arena.ofAuto().allocate(FoveaDeviceInfo.LAYOUT).copyFrom(device.info());
    int all = FoveaDeviceInfo.MULTIPROCESSORS.get(info);
    FoveaDeviceInfo.MULTIPROCESSORS.set(info, Math.min(all, MULTIPROCESSORS));
    return info;
  }

  private record Backend(DeviceBackend device, MemorySegment info) implements DeviceBackend {

    @Override
    public String name() {
      return device.name();
    }

    @Override
    public String description() {
      return device.description();
    }

    @Override
    public NativeLibrary library() {
      return device.library();
    }

    @Override
    public boolean hostMemory() {
      return device.hostMemory();
    }

    @Override
    public MemorySegment allocate(long bytes, Arena arena) {
      return device.allocate(bytes, arena).fill((byte) 0xFF);
    }

    @Override
    public void copyIn(MemorySegment host, MemorySegment to) {
      device.copyIn(host, to);
    }

    @Override
    public void copyOut(MemorySegment from, MemorySegment host) {
      device.copyOut(from, host);
    }

    @Override
    public MemorySegment stream() {
      return device.stream();
    }
  }
}

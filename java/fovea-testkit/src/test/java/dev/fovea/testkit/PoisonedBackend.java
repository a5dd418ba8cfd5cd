package dev.fovea.testkit;

import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A device that computes on the host's memory, whose new memory is NaN in every type. */
public final class PoisonedBackend implements DeviceBackend {

  private final DeviceBackend device;

  public PoisonedBackend(DeviceBackend device) {
    this.device = device;
  }

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
  public MemorySegment info() {
    return device.info();
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

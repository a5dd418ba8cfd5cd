package dev.fovea.testkit;

import dev.fovea.Device;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A device that is not here: the CPU's library under another name, with memory of its own. */
final class FakeBackend implements DeviceBackend {

  private final DeviceBackend cpu = Device.cpu().backend();

  @Override
  public String name() {
    return "fake:0";
  }

  @Override
  public String description() {
    return "a device for tests, without memory";
  }

  @Override
  public NativeLibrary library() {
    return cpu.library();
  }

  @Override
  public MemorySegment info() {
    return cpu.info();
  }

  @Override
  public boolean hostMemory() {
    return false;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    throw new UnsupportedOperationException("fake");
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    throw new UnsupportedOperationException("fake");
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    throw new UnsupportedOperationException("fake");
  }

  @Override
  public MemorySegment stream() {
    return MemorySegment.NULL;
  }
}

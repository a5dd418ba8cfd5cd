package dev.fovea.testkit;

import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A device that is not here: what a planner needs of it, and no memory. */
public final class FakeBackend implements DeviceBackend {

  private final NativeLibrary library;
  private final MemorySegment info;

  /** The CPU under another name. */
  public FakeBackend() {
    this(Devices.backend(Device.cpu()).library(), Devices.backend(Device.cpu()).info());
  }

  /** A device as {@code info} describes it, for the planner of {@code library}. */
  public FakeBackend(NativeLibrary library, MemorySegment info) {
    this.library = library;
    this.info = info;
  }

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
    return library;
  }

  @Override
  public MemorySegment info() {
    return info;
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

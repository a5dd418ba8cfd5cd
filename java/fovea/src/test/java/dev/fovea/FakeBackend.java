package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A device made of host memory, which it may hide; without streams, like the CPU, unless told. */
final class FakeBackend implements DeviceBackend {
  private final String name;
  private final boolean hostMemory;
  private final NativeLibrary library; // null: that of the CPU
  private final FakeStreams streams; // null: none
  private final MemorySegment info = FoveaDeviceInfo.allocate(Arena.ofAuto());
  Error failure; // of every allocation; null: none
  int copiesIn;
  int copiesOut;

  FakeBackend(String name, boolean hostMemory) {
    this(name, hostMemory, null, null);
  }

  /** A CPU with another library. */
  FakeBackend(String name, NativeLibrary library) {
    this(name, library, null);
  }

  /** A CPU with another library, whose work is queued. */
  FakeBackend(String name, NativeLibrary library, FakeStreams streams) {
    this(name, true, library, streams);
    FoveaDeviceInfo.KIND.set(info, Abi.DEVICE_CPU);
  }

  private FakeBackend(String name, boolean hostMemory, NativeLibrary library, FakeStreams streams) {
    this.name = name;
    this.hostMemory = hostMemory;
    this.library = library;
    this.streams = streams;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String description() {
    return "fake";
  }

  @Override
  public NativeLibrary library() {
    return library != null ? library : Device.cpu().backend().library();
  }

  @Override
  public MemorySegment info() {
    return info;
  }

  @Override
  public boolean hostMemory() {
    return hostMemory;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    if (failure != null) {
      throw failure;
    }
    return arena.allocate(bytes, 64);
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    copiesIn++;
    device.copyFrom(host);
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    copiesOut++;
    host.copyFrom(device);
  }

  @Override
  public MemorySegment stream() {
    return streams == null ? MemorySegment.NULL : MemorySegment.ofAddress(FakeStreams.OWN);
  }

  @Override
  public FakeStreams streams() {
    return streams;
  }
}

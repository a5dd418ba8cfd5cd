package dev.fovea;

import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;

/** The CPU, with a test in its way: it is asked before each use of the library and allocation. */
final class HookedCpu implements DeviceBackend {
  private final DeviceBackend cpu = Device.cpu().backend();
  volatile Runnable onLibrary = () -> {};
  volatile LongConsumer onAllocate = bytes -> {};

  @Override
  public String name() {
    return "hooked";
  }

  @Override
  public String description() {
    return "the CPU, hooked";
  }

  @Override
  public NativeLibrary library() {
    onLibrary.run();
    return cpu.library();
  }

  @Override
  public MemorySegment info() {
    return cpu.info();
  }

  @Override
  public boolean hostMemory() {
    return true;
  }

  @Override
  public MemorySegment allocate(long bytes, Arena arena) {
    onAllocate.accept(bytes);
    return cpu.allocate(bytes, arena);
  }

  @Override
  public void copyIn(MemorySegment host, MemorySegment device) {
    cpu.copyIn(host, device);
  }

  @Override
  public void copyOut(MemorySegment device, MemorySegment host) {
    cpu.copyOut(device, host);
  }

  @Override
  public MemorySegment stream() {
    return cpu.stream();
  }
}

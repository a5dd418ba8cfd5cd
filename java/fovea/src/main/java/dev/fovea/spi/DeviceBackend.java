package dev.fovea.spi;

import dev.fovea.ffi.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What {@link dev.fovea.Device} needs of a device: its library, its description for the planner,
 * its memory and its stream. Implementations are thread-safe.
 *
 * <p>Plans need only {@link #library} and {@link #info}, so a backend that describes an absent
 * device can plan for it; its other methods may then throw {@link UnsupportedOperationException}.
 */
public interface DeviceBackend {
  /**
   * Kind and ordinal or variant: {@code "cuda:0"}. The kind alone means the first of its devices.
   */
  String name();

  /** One line for people: model, capabilities, memory. */
  String description();

  /** The library whose kernels run on this device. */
  NativeLibrary library();

  /** Its {@code fovea_device_info} block, which stays alive and never changes. */
  MemorySegment info();

  /**
   * True if the device computes on memory that the host can read and write, so that any native
   * segment will do and no copies are needed.
   */
  boolean hostMemory();

  /**
   * Zeroed memory aligned to 64 bytes, which goes with {@code arena}. The segment has its true
   * length; where {@link #hostMemory} is false, its addresses mean nothing to the host and nobody
   * dereferences them.
   */
  MemorySegment allocate(long bytes, Arena arena);

  /** Copies host memory to the device; both have the same length. Returns when it is done. */
  void copyIn(MemorySegment host, MemorySegment device);

  /** Copies device memory to the host; both have the same length. Returns when it is done. */
  void copyOut(MemorySegment device, MemorySegment host);

  /**
   * The stream that calls run on: a {@code CUstream}; {@link MemorySegment#NULL} without streams.
   */
  MemorySegment stream();
}

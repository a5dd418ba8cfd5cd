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
   * dereferences them. Not called where there are {@link #streams}, which allocate themselves.
   */
  MemorySegment allocate(long bytes, Arena arena);

  /**
   * Copies host memory to the device, behind what {@link #stream} has queued; both have the same
   * length. Returns when it is done.
   */
  void copyIn(MemorySegment host, MemorySegment device);

  /**
   * Copies device memory to the host, behind what {@link #stream} has queued; both have the same
   * length. Returns when it is done.
   */
  void copyOut(MemorySegment device, MemorySegment host);

  /**
   * The device's own stream, which calls run on unless told otherwise: a {@code CUstream}. Without
   * streams what the library takes in place of one, {@link MemorySegment#NULL} mostly.
   */
  MemorySegment stream();

  /** Where work is queued: how. Null where calls are done when they return. */
  default DeviceStreams streams() {
    return null;
  }

  /**
   * Makes the device current on this OS thread, before calls of {@link #library} that prepare or
   * run. {@link #leave} follows on the same OS thread: nothing between them may block, as a virtual
   * thread could move to another.
   */
  default void enter() {}

  /** Undoes {@link #enter}. */
  default void leave() {}

  /**
   * Refuses an address of somebody else that cannot be memory of this device, as far as that can be
   * known.
   *
   * @throws IllegalArgumentException if it is not
   */
  default void checkAddress(long address) {}
}

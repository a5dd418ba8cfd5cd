package dev.fovea;

import dev.fovea.ffi.Memory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Device memory that is allocated, copied and freed in the order of the device's own stream and
 * used on any: makes either wait for the other. Thread-safe. Work on the device's own stream alone
 * costs nothing here.
 */
final class StreamOrder {
  private final Stream home;

  /** Counts what the own stream has done to this memory that others must wait for. */
  private int version;

  /** Streams that used this memory, with the version they have waited for. */
  private final Map<Stream, Integer> seen = new HashMap<>();

  StreamOrder(Device device) {
    home = device.stream();
  }

  /** Zeroed memory that goes with {@code arena}, but not before the streams are done with it. */
  MemorySegment allocate(long bytes, Arena arena) {
    // An empty tensor has an address as well: NULL would mean that it is absent.
    long address = home.streams().allocate(Math.max(bytes, 1));
    try {
      changed();
      return Memory.at(address, bytes, arena, memory -> free(memory.address()));
    } catch (Throwable t) {
      home.streams().free(address); // nobody would know of it
      throw t;
    }
  }

  private void free(long address) {
    settle();
    home.streams().free(address);
  }

  /** Before work on {@code stream} that uses this memory. */
  synchronized void use(Stream stream) {
    if (stream.isOwn()) {
      return;
    }
    Integer before = seen.get(stream);
    if (version != (before == null ? 0 : before)) {
      stream.await(home);
    }
    if (before == null) {
      seen.keySet().removeIf(other -> !other.isOpen()); // the own stream waits for those anyway
    }
    seen.put(stream, version);
  }

  /** Before work on the device's own stream that other streams must not overtake. */
  synchronized void settle() {
    seen.keySet().forEach(home::await);
  }

  /** After work on the device's own stream that others must wait for. */
  synchronized void changed() {
    version++;
  }
}

package dev.fovea;

import dev.fovea.spi.DeviceStreams;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Work that was {@linkplain Stream#capture captured} once, to be launched as one thing: the host
 * spends no time on its kernels one by one. It reads and writes the memory that was captured, with
 * the contents it then has.
 *
 * <p>Until it is closed, the scopes of its operands stay open. A graph belongs to one thread at a
 * time, together with the calls captured in it.
 */
public final class Graph implements AutoCloseable {
  private final Device device;
  private final DeviceStreams streams;
  private final Uses uses = new Uses();
  private final Set<Scope> scopes = new LinkedHashSet<>();

  /** Of its calls; with the segments themselves, as a call may move on to others. */
  private final Map<RunMemory, Object> memories = new IdentityHashMap<>();

  private long executable; // 0: capturing, or failed to

  Graph(Device device, DeviceStreams streams) {
    this.device = device;
    this.streams = streams;
  }

  void hold(Scope[] operands, RunMemory memory) {
    for (Scope scope : operands) {
      if (!scopes.contains(scope)) {
        scope.acquire();
        scopes.add(scope);
      }
    }
    memories.put(memory, memory.capture());
  }

  void capturedAs(long handle) {
    executable = handle;
  }

  /**
   * Queues the work.
   *
   * @param stream of the device it was captured on, not necessarily the same one
   * @throws IllegalArgumentException if the stream is of another device
   * @throws IllegalStateException if the graph or the stream is closed, or the stream is being
   *     captured
   * @throws FoveaException if the device fails
   */
  public void launch(Stream stream) {
    if (stream.device().backend() != device.backend()) {
      throw new IllegalArgumentException(
          "%s, expected one of %s, where the graph was captured".formatted(stream, device));
    }
    uses.acquire("the graph");
    try {
      stream.acquire();
      try {
        stream.requireNoCapture("launch a graph into");
        scopes.forEach(scope -> scope.order().use(stream));
        memories.keySet().forEach(memory -> memory.use(stream));
        streams.launch(executable, stream.handle());
      } finally {
        stream.release();
      }
    } finally {
      uses.release();
    }
  }

  /**
   * Forgets it and lets its scopes go; launches still in their streams will be done.
   *
   * @throws IllegalStateException if a launch is in flight; it then stays open
   * @throws FoveaException if the device fails
   */
  @Override
  public void close() {
    if (uses.close("the graph cannot be closed: %d launch(es) are in flight; it stays open")) {
      scopes.forEach(Scope::release);
      if (executable != 0) {
        streams.closeGraph(executable);
      }
    }
  }
}

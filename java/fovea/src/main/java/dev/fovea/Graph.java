package dev.fovea;

import dev.fovea.spi.DeviceStreams;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Work that was {@linkplain Stream#capture captured} once, to be launched as one thing: the host
 * spends no time on its kernels one by one. It reads and writes the memory that was captured, with
 * the contents it then has.
 *
 * <p>Until it is closed, the scopes of its operands stay open. A graph belongs to one thread at a
 * time, together with the calls captured in it: using one while another thread uses one of them
 * throws {@link IllegalStateException}.
 */
public final class Graph implements AutoCloseable {
  private final Device device;
  private final DeviceStreams streams;
  private final Uses uses = new Uses();
  private final Set<Scope> scopes = new LinkedHashSet<>();

  /** Of its calls; with the segments themselves, as a call may move on to others. */
  private final Map<RunMemory, Object> memories = new IdentityHashMap<>();

  private final Set<Claim> claims = new LinkedHashSet<>(); // likewise
  private long executable; // 0: capturing, or failed to
  private volatile boolean launched;

  Graph(Device device, DeviceStreams streams) {
    this.device = device;
    this.streams = streams;
  }

  void hold(Scope[] operands, RunMemory memory, Claim claim) {
    for (Scope scope : operands) {
      if (!scopes.contains(scope)) {
        scope.acquire();
        scopes.add(scope);
      }
    }
    memories.put(memory, memory.capture());
    claims.add(claim);
  }

  void capturedAs(long handle) {
    executable = handle;
  }

  /** True if nothing that was captured here has run or ever will. */
  boolean neverRuns() {
    return !launched && !uses.isOpen();
  }

  /**
   * Queues the work.
   *
   * @param stream of the device it was captured on, not necessarily the same one
   * @throws IllegalArgumentException if the stream is of another device
   * @throws IllegalStateException if the graph or the stream is closed, the stream is being
   *     captured, or another thread uses the graph or a call in it
   * @throws FoveaException if the device fails
   */
  public void launch(Stream stream) {
    if (stream.device().backend() != device.backend()) {
      throw new IllegalArgumentException(
          "%s, expected one of %s, where the graph was captured".formatted(stream, device));
    }
    uses.acquire("the graph");
    try {
      launchClaimed(stream);
    } finally {
      uses.release();
    }
  }

  /** Its runs write the memory of the calls, so that no other may come between order and launch. */
  private void launchClaimed(Stream stream) {
    List<Claim> held = new ArrayList<>(claims.size());
    try {
      for (Claim claim : claims) {
        claim.begin();
        held.add(claim);
      }
      launchInOrder(stream);
    } finally {
      held.forEach(Claim::end);
    }
  }

  private void launchInOrder(Stream stream) {
    stream.acquire();
    try {
      stream.requireNoCapture("launch a graph into");
      scopes.forEach(scope -> scope.order().use(stream));
      memories.keySet().forEach(memory -> memory.use(stream));
      streams.launch(executable, stream.handle());
      launched = true;
    } finally {
      stream.release();
    }
  }

  /**
   * Forgets it and lets its scopes go; launches still in their streams will be done. Closing again
   * does nothing.
   *
   * @throws IllegalStateException if a launch is in flight; it then stays open
   * @throws FoveaException if the device fails; it is closed all the same
   */
  @Override
  public void close() {
    if (uses.close("the graph cannot be closed: %d launch(es) are in flight; it stays open")) {
      scopes.forEach(Scope::release);
      scopes.clear();
      memories.clear();
      claims.clear();
      if (executable != 0) {
        streams.closeGraph(executable);
      }
    }
  }
}

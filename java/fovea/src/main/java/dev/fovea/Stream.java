package dev.fovea;

import dev.fovea.spi.DeviceStreams;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A queue of work on a device, done in order; work on different streams may overlap. Every device
 * that has streams has one {@linkplain Device#stream of its own}, on which calls run that name no
 * other. Thread-safe.
 *
 * <p>Memory of a {@link Scope} takes care of itself: a stream waits until the memory is there, and
 * copies to and from the host, as well as freeing, wait for every stream that used it. What one
 * stream computes for another is ordered by whoever calls: with {@link #await(Stream)}, {@link
 * #await(Event)} or {@link #synchronize}.
 *
 * <p>A stream refuses to close during a call, with an {@link IllegalStateException}, and stays
 * open; using a closed one is refused the same way.
 */
public final class Stream implements AutoCloseable {
  private enum Owner {
    DEVICE,
    THIS,
    SOMEBODY_ELSE
  }

  private final Device device;
  private final DeviceStreams streams;
  private final MemorySegment handle;
  private final Owner owner;
  private final Uses uses = new Uses();
  private volatile Graph capture; // null: not capturing

  private Stream(Device device, long handle, Owner owner) {
    this.device = device;
    this.streams = streams(device);
    this.handle = MemorySegment.ofAddress(handle);
    this.owner = owner;
  }

  static Stream ownOf(Device device) {
    streams(device); // says so where there are none
    return new Stream(device, device.backend().stream().address(), Owner.DEVICE);
  }

  /**
   * A new stream, not ordered with any other.
   *
   * @throws UnsupportedOperationException if the device has no streams
   * @throws FoveaException if the device fails
   */
  public static Stream open(Device device) {
    return new Stream(device, streams(device).openStream(), Owner.THIS);
  }

  /**
   * Somebody else's stream, for example a {@code CUstream} of JCuda, TornadoVM or JavaCPP; 0 is the
   * driver's default stream. It must be of the device's primary context. Closing this object never
   * destroys the stream, but must come before its owner does: from then on memory that was used on
   * it waits for nothing.
   *
   * @throws UnsupportedOperationException if the device has no streams
   */
  public static Stream ofHandle(Device device, long handle) {
    return new Stream(device, handle, Owner.SOMEBODY_ELSE);
  }

  private static DeviceStreams streams(Device device) {
    DeviceStreams streams = device.backend().streams();
    if (streams == null) {
      throw new UnsupportedOperationException(
          device + " has no streams: its calls are done when they return");
    }
    return streams;
  }

  /** Whose work this queues. */
  public Device device() {
    return device;
  }

  /** What the driver knows it by: a {@code CUstream}. */
  public long handle() {
    return handle.address();
  }

  /**
   * Waits until everything queued so far is done.
   *
   * @throws IllegalStateException if it is closed or being captured
   * @throws FoveaException if that work has failed, or the device fails
   */
  public void synchronize() {
    acquire();
    try {
      requireNoCapture("wait for");
      streams.synchronize(handle());
    } finally {
      release();
    }
  }

  /**
   * Marks the end of what is queued so far.
   *
   * @throws IllegalStateException if it is closed
   * @throws FoveaException if the device fails
   */
  public Event record() {
    acquire();
    try {
      Event event = new Event(streams, true);
      try {
        streams.record(event.handle(), handle());
        return event;
      } catch (RuntimeException e) {
        event.close();
        throw e;
      }
    } finally {
      release();
    }
  }

  /**
   * Makes what is queued from now on wait for {@code event}, of this device or another. Does not
   * wait itself.
   *
   * @throws IllegalStateException if the stream or the event is closed
   * @throws FoveaException if the device fails
   */
  public void await(Event event) {
    event.acquire();
    try {
      acquire();
      try {
        streams.await(handle(), event.handle());
      } finally {
        release();
      }
    } finally {
      event.release();
    }
  }

  /**
   * Makes what is queued here from now on wait for what is queued in {@code other} so far. Does not
   * wait itself.
   *
   * @throws IllegalStateException if this stream is closed
   * @throws FoveaException if the device fails
   */
  public void await(Stream other) {
    if (other == this) {
      return;
    }
    if (other.uses.tryAcquire()) {
      try {
        awaitEnd(other);
      } finally {
        other.release();
      }
    } else {
      synchronized (other) { // until close is done
        await(other.device.stream()); // which has waited for it then
      }
    }
  }

  private void awaitEnd(Stream other) {
    try (Event end = new Event(other.streams, false)) {
      other.streams.record(end.handle(), other.handle());
      await(end);
    }
  }

  /**
   * Captures what {@code work} queues here, without doing any of it, as a graph that does it again
   * and again: the same kernels on the same memory, whose contents may change. So what runs there
   * must not wait for the device, and belongs to this stream alone; calls should have {@linkplain
   * AttentionCall#plan planned} before. Seeds of dropout are part of what is captured.
   *
   * <p>The graph keeps the scopes of its operands open, and the workspaces of its calls alive.
   * Memory that is not of a scope must outlive it.
   *
   * @throws UnsupportedOperationException if this is the device's own stream, on which memory is
   *     allocated and copied
   * @throws IllegalStateException if it is closed or being captured
   * @throws FoveaException if {@code work} did what cannot be captured, or the device fails
   */
  public Graph capture(Runnable work) {
    Objects.requireNonNull(work, "work");
    if (isOwn()) {
      throw new UnsupportedOperationException(
          "the own stream of %s cannot be captured, because memory is allocated on it: open another"
              .formatted(device));
    }
    acquire();
    try {
      Graph graph = new Graph(device, streams);
      synchronized (this) {
        requireNoCapture("capture");
        streams.beginCapture(handle());
        capture = graph;
      }
      try {
        work.run();
        capture = null;
        graph.capturedAs(streams.endCapture(handle()));
        return graph;
      } catch (Throwable t) {
        giveUp(graph, t);
        throw t;
      }
    } finally {
      release();
    }
  }

  private void giveUp(Graph graph, Throwable why) {
    try {
      if (capture != null) {
        capture = null;
        graph.capturedAs(streams.endCapture(handle()));
      }
    } catch (RuntimeException e) {
      why.addSuppressed(e);
    } finally {
      graph.close();
    }
  }

  /** The graph that is being captured here, or null. */
  Graph capture() {
    return capture;
  }

  /** True if somebody captures this by other means than ours. */
  boolean isCapturedElsewhere() {
    return !isOwn() && capture == null && streams.isCapturing(handle());
  }

  void requireNoCapture(String what) {
    if (capture != null) {
      throw new IllegalStateException("cannot " + what + " a stream that is being captured");
    }
  }

  boolean isOwn() {
    return owner == Owner.DEVICE;
  }

  boolean isOpen() {
    return uses.isOpen();
  }

  /** The handle as native calls take it. */
  MemorySegment segment() {
    return handle;
  }

  DeviceStreams streams() {
    return streams;
  }

  void acquire() {
    uses.acquire("the stream");
  }

  void release() {
    uses.release();
  }

  /**
   * Closes it without waiting; what is queued will still be done. Does nothing to the device's own.
   *
   * @throws IllegalStateException if a call is using it; it then stays open
   * @throws FoveaException if the device fails
   */
  @Override
  public void close() {
    if (isOwn()) {
      return;
    }
    synchronized (this) {
      if (uses.close("the stream cannot be closed: %d call(s) in flight use it; it stays open")) {
        try {
          device.stream().awaitEnd(this);
        } finally {
          if (owner == Owner.THIS) {
            streams.closeStream(handle());
          }
        }
      }
    }
  }

  @Override
  public String toString() {
    return "stream 0x%x of %s".formatted(handle(), device);
  }
}

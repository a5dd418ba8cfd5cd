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
 * open; using a closed one is refused the same way, and so is using one that another thread
 * captures.
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
  private volatile Capture capture; // null: not capturing; changes under the lock of this

  /** {@code before} is the end of what was queued before: nothing can wait for what is captured. */
  private record Capture(Graph graph, Thread thread, Event before) {}

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
   * <p>As a driver trusts any handle, the calling module needs native access: {@code
   * --enable-native-access=} with its name, or with {@code ALL-UNNAMED} on the class path.
   *
   * @throws IllegalCallerException if the calling module has no native access
   * @throws UnsupportedOperationException if the device has no streams
   */
  public static Stream ofHandle(Device device, long handle) {
    NativeAccess.require(NativeAccess.CALLER.getCallerClass(), "Stream.ofHandle");
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
      return end(true);
    } finally {
      release();
    }
  }

  /** An event that happens when what is queued so far is done. */
  private Event end(boolean timed) {
    Event event = new Event(streams, timed);
    try {
      streams.record(event.handle(), handle());
      return event;
    } catch (Throwable t) {
      event.discard(t);
      throw t;
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
    synchronized (other) { // captures begin and end before or after this, and so does close
      if (other.capture != null) {
        await(other.capture.before());
      } else if (other.uses.tryAcquire()) {
        try {
          awaitEnd(other);
        } finally {
          other.release();
        }
      } else {
        await(other.device.stream()); // which has waited for it when it was closed
      }
    }
  }

  private void awaitEnd(Stream other) {
    try (Event end = other.end(false)) {
      await(end);
    }
  }

  /**
   * Captures what {@code work} queues here, without doing any of it, as a graph that does it again
   * and again: the same kernels on the same memory, whose contents may change. So what runs there
   * must not wait for the device, and belongs to this stream and this thread alone: others are
   * refused the stream until it is done. Calls should have {@linkplain AttentionCall#plan planned}
   * before. Seeds of dropout are part of what is captured.
   *
   * <p>The graph keeps the scopes of its operands open, and the workspaces of its calls alive.
   * Memory that is not of a scope must outlive it. Where {@code work} throws, there is no graph,
   * and the stream works as before.
   *
   * @throws UnsupportedOperationException if this is the device's own stream, on which memory is
   *     allocated and copied
   * @throws IllegalStateException if it is closed, being captured, or in use by another thread
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
      beginCapture(graph);
      try {
        work.run();
        endCapture(graph);
        return graph;
      } catch (Throwable t) {
        giveUp(graph, t);
        throw t;
      }
    } finally {
      release();
    }
  }

  private synchronized void beginCapture(Graph graph) {
    requireNoCapture("capture");
    Event before = end(false);
    capture = new Capture(graph, Thread.currentThread(), before); // from now on others are refused
    try {
      if (!uses.isAlone()) {
        throw new IllegalStateException("cannot capture a stream that another thread is using");
      }
      streams.beginCapture(handle());
    } catch (Throwable t) {
      capture = null;
      before.discard(t);
      throw t;
    }
  }

  private synchronized void endCapture(Graph graph) {
    Event before = capture.before();
    try (before) {
      graph.capturedAs(streams.endCapture(handle()));
    } finally {
      capture = null;
    }
  }

  private void giveUp(Graph graph, Throwable why) {
    try (graph) {
      if (capture != null) {
        endCapture(graph);
      }
    } catch (RuntimeException e) {
      why.addSuppressed(e);
    }
  }

  /** The graph that is being captured here, or null. */
  Graph capture() {
    Capture current = capture;
    return current == null ? null : current.graph();
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
    Capture current = capture;
    if (current != null && current.thread() != Thread.currentThread()) {
      release();
      throw new IllegalStateException("another thread captures the stream");
    }
  }

  void release() {
    uses.release();
  }

  /**
   * Closes it without waiting; what is queued will still be done. Does nothing to the device's own,
   * nor to a closed one.
   *
   * @throws IllegalStateException if a call is using it; it then stays open
   * @throws FoveaException if the device fails; it is closed all the same
   */
  @Override
  public void close() {
    if (isOwn()) {
      return;
    }
    synchronized (this) {
      if (uses.close("the stream cannot be closed: %d call(s) in flight use it; it stays open")) {
        try {
          settle();
        } finally {
          if (owner == Owner.THIS) {
            streams.closeStream(handle());
          }
        }
      }
    }
  }

  /** Later nobody can wait for it, and memory that it uses might be freed too early. */
  private void settle() {
    try {
      device.stream().awaitEnd(this);
    } catch (FoveaException e) {
      streams.synchronize(handle());
    }
  }

  @Override
  public String toString() {
    return "stream 0x%x of %s".formatted(handle(), device);
  }
}

package dev.fovea;

import dev.fovea.spi.DeviceStreams;

/**
 * A point in a {@link Stream}: happens when the work before it is done. {@link Stream#record} makes
 * it. Thread-safe.
 */
public final class Event implements AutoCloseable {
  private final DeviceStreams streams;
  private final long handle;
  private final Uses uses = new Uses();

  Event(DeviceStreams streams, boolean timed) {
    this.streams = streams;
    this.handle = streams.openEvent(timed);
  }

  /**
   * Waits until it has happened.
   *
   * @throws IllegalStateException if it is closed
   * @throws FoveaException if the work before it has failed, or the device fails
   */
  public void synchronize() {
    acquire();
    try {
      streams.synchronizeEvent(handle);
    } finally {
      release();
    }
  }

  /**
   * True if it has happened.
   *
   * @throws IllegalStateException if it is closed
   * @throws FoveaException if the work before it has failed, or the device fails
   */
  public boolean isDone() {
    acquire();
    try {
      return streams.isDone(handle);
    } finally {
      release();
    }
  }

  /**
   * Time on the device from an earlier event of it to this one; both must have happened.
   *
   * @throws IllegalStateException if one is closed or has not happened yet
   * @throws FoveaException if the device fails
   */
  public double millisecondsSince(Event earlier) {
    if (!earlier.isDone() || !isDone()) {
      throw new IllegalStateException("the event has not happened yet: synchronize first");
    }
    acquire();
    try {
      earlier.acquire();
      try {
        return streams.milliseconds(earlier.handle, handle);
      } finally {
        earlier.release();
      }
    } finally {
      release();
    }
  }

  /** Closes it because of {@code why}, which tells if that fails too. */
  void discard(Throwable why) {
    try {
      close();
    } catch (RuntimeException e) {
      why.addSuppressed(e);
    }
  }

  long handle() {
    return handle;
  }

  void acquire() {
    uses.acquire("the event");
  }

  void release() {
    uses.release();
  }

  /**
   * Forgets it. Streams that wait for it still do. Closing again does nothing.
   *
   * @throws IllegalStateException if a call is using it; it then stays open
   * @throws FoveaException if the device fails; it is closed all the same
   */
  @Override
  public void close() {
    if (uses.close("the event cannot be closed: %d call(s) in flight use it; it stays open")) {
      streams.closeEvent(handle);
    }
  }
}

package dev.fovea.spi;

/**
 * Memory, streams, events and graphs of a device whose work is queued. Handles are the driver's, as
 * numbers, so that foreign ones are like any other. Implementations are thread-safe, and every
 * method makes the device current for itself.
 *
 * <p>A failure of the device is a {@link dev.fovea.FoveaException}.
 */
public interface DeviceStreams {
  /**
   * Memory that is zero for whatever comes later in {@link DeviceBackend#stream}; aligned to 256
   * bytes.
   *
   * @param bytes at least 1
   */
  long allocate(long bytes);

  /** Frees memory behind what {@link DeviceBackend#stream} has queued; waits for nothing. */
  void free(long address);

  /** Queues a copy within this device in {@link DeviceBackend#stream}. */
  void copy(long from, long to, long bytes);

  /** A new stream, not ordered with any other. */
  long openStream();

  /** Destroys a stream; what it has queued will still be done. */
  void closeStream(long stream);

  /** Waits until all that the stream has queued is done. */
  void synchronize(long stream);

  /** True if the stream captures instead of working. */
  boolean isCapturing(long stream);

  /** A new event that has happened; only timed ones take part in {@link #milliseconds}. */
  long openEvent(boolean timed);

  /** Destroys an event; streams that wait for it still do. */
  void closeEvent(long event);

  /** The event happens when all that the stream has queued is done. */
  void record(long event, long stream);

  /** What the stream is given from now on waits for the event. */
  void await(long stream, long event);

  /** Waits until the event has happened. */
  void synchronizeEvent(long event);

  /** True if the event has happened. */
  boolean isDone(long event);

  /** Milliseconds on the device between two events that have happened. */
  double milliseconds(long from, long to);

  /** From now on the stream captures instead of working; any thread may end that. */
  void beginCapture(long stream);

  /** Ends the capture; returns what {@link #launch} takes. */
  long endCapture(long stream);

  /** Queues captured work. */
  void launch(long graph, long stream);

  /** Destroys captured work; launches that are queued will still be done. */
  void closeGraph(long graph);
}

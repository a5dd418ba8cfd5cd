package dev.fovea;

import dev.fovea.spi.DeviceStreams;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Streams that do at once what they are given, count what is open and write down who waits for
 * whom. A test may fail a call, or do something before each. What closes and frees does so even
 * where it fails, as a driver that reports an earlier error.
 */
final class FakeStreams implements DeviceStreams {
  static final long OWN = 1;

  /** Goes when it is collected; small, as the library of the recorder needs little. */
  private static final String OF_RUNS = "memory of runs";

  private final List<String> calls = new ArrayList<>();
  private final Map<Long, String> open = new TreeMap<>();
  private final Map<Long, Arena> memory = new TreeMap<>();
  private final Map<Long, Long> recorded = new TreeMap<>(); // stream of an event
  private long last = OWN;
  private int left = -1; // calls until one fails
  volatile Consumer<String> onCall = name -> {};

  /** The call after {@code calls} others fails. */
  synchronized void failAfter(int calls) {
    left = calls;
  }

  /** True if that call has come. */
  synchronized boolean hasFailed() {
    return left < 0;
  }

  /** Kinds of what is open, each with its number, but for the memory of runs. */
  synchronized Map<String, Integer> open() {
    Map<String, Integer> kinds = new TreeMap<>();
    open.values().forEach(kind -> kinds.merge(kind, 1, Integer::sum));
    kinds.remove(OF_RUNS);
    return kinds;
  }

  /** What was called since, waits with their streams. */
  synchronized List<String> take() {
    List<String> taken = List.copyOf(calls);
    calls.clear();
    return taken;
  }

  private void call(String name) {
    onCall.accept(name);
    note(name);
  }

  private synchronized void note(String name) {
    calls.add(name);
    if (left >= 0 && left-- == 0) {
      throw new FoveaException(Status.DEVICE_ERROR, name + " fails");
    }
  }

  private synchronized long add(String kind) {
    open.put(++last, kind);
    return last;
  }

  private synchronized void remove(long handle) {
    if (open.remove(handle) == null) {
      throw new AssertionError(handle + " is not open");
    }
  }

  @Override
  public synchronized long allocate(long bytes) {
    call("allocate");
    Arena arena = Arena.ofShared();
    long address = arena.allocate(bytes, 256).address();
    memory.put(address, arena);
    open.put(address, bytes < 512 ? OF_RUNS : "memory");
    return address;
  }

  @Override
  public synchronized void free(long address) {
    remove(address);
    memory.remove(address).close();
    call("free");
  }

  @Override
  public void copy(long from, long to, long bytes) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long openStream() {
    call("openStream");
    return add("stream");
  }

  @Override
  public void closeStream(long stream) {
    remove(stream);
    call("closeStream");
  }

  @Override
  public void synchronize(long stream) {
    call("synchronize");
  }

  @Override
  public synchronized boolean isCapturing(long stream) {
    call("isCapturing");
    return open.containsKey(-stream);
  }

  @Override
  public long openEvent(boolean timed) {
    call("openEvent");
    return add("event");
  }

  @Override
  public void closeEvent(long event) {
    remove(event);
    call("closeEvent");
  }

  @Override
  public synchronized void record(long event, long stream) {
    call("record");
    if (open.containsKey(-stream)) {
      throw new AssertionError("nothing can wait for an event of a capture");
    }
    recorded.put(event, stream);
  }

  @Override
  public synchronized void await(long stream, long event) {
    call("%d awaits %d".formatted(stream, recorded.get(event)));
  }

  @Override
  public void synchronizeEvent(long event) {
    call("synchronizeEvent");
  }

  @Override
  public boolean isDone(long event) {
    call("isDone");
    return true;
  }

  @Override
  public double milliseconds(long from, long to) {
    call("milliseconds");
    return 1;
  }

  @Override
  public synchronized void beginCapture(long stream) {
    call("beginCapture");
    if (open.put(-stream, "capture") != null) {
      throw new AssertionError("it is being captured");
    }
  }

  @Override
  public synchronized long endCapture(long stream) {
    remove(-stream);
    call("endCapture");
    return add("graph");
  }

  @Override
  public void launch(long graph, long stream) {
    call("launch");
  }

  @Override
  public void closeGraph(long graph) {
    remove(graph);
    call("closeGraph");
  }
}

package dev.fovea;

import dev.fovea.ffi.NativeOperation;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The last plans of one device. The key is the operation and its block, byte for byte. Reads take
 * no lock: entries live in an array that is copied on every change.
 */
final class PlanCache {
  /** Enough for the shapes of some models; a server with more plans again, in microseconds. */
  private static final int CAPACITY = 32;

  private record Entry(NativeOperation operation, MemorySegment spec, AttentionPlan plan) {
    boolean matches(NativeOperation wanted, MemorySegment spec) {
      return operation == wanted && this.spec.mismatch(spec) < 0;
    }
  }

  private final DeviceBackend backend;
  private volatile Entry[] entries = {}; // newest first

  PlanCache(DeviceBackend backend) {
    this.backend = backend;
  }

  /** The block may be reused afterwards: it is copied. */
  AttentionPlan get(NativeOperation operation, MemorySegment spec) {
    AttentionPlan kept = find(operation, spec);
    if (kept != null) {
      return kept;
    }
    AttentionPlan made = AttentionPlan.make(backend, operation, spec);
    return keep(new Entry(operation, copy(spec), made));
  }

  private AttentionPlan find(NativeOperation operation, MemorySegment spec) {
    for (Entry entry : entries) {
      if (entry.matches(operation, spec)) {
        return entry.plan;
      }
    }
    return null;
  }

  /** Two threads may make the same plan at the same time: both get the one that came first. */
  private synchronized AttentionPlan keep(Entry entry) {
    AttentionPlan first = find(entry.operation, entry.spec);
    if (first != null) {
      return first;
    }
    Entry[] old = entries;
    Entry[] changed = new Entry[Math.min(CAPACITY, old.length + 1)];
    changed[0] = entry;
    System.arraycopy(old, 0, changed, 1, changed.length - 1);
    entries = changed;
    return entry.plan;
  }

  private static MemorySegment copy(MemorySegment block) {
    return MemorySegment.ofArray(block.toArray(ValueLayout.JAVA_BYTE));
  }
}

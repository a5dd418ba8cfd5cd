package dev.fovea;

import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The last plans of one {@link Attention}. The key is the spec block itself, byte for byte, and the
 * device. Reads take no lock: entries live in an array that is copied on every change.
 */
final class PlanCache {
  /** Enough for the shapes of one model; a server with more shapes plans again, in microseconds. */
  private static final int CAPACITY = 16;

  private record Entry(DeviceBackend backend, MemorySegment spec, AttentionPlan plan) {
    boolean matches(DeviceBackend wanted, MemorySegment block) {
      return backend == wanted && spec.mismatch(block) < 0;
    }
  }

  private volatile Entry[] entries = {}; // newest first

  /** {@code spec} may be reused afterwards: it is copied. */
  AttentionPlan get(DeviceBackend backend, MemorySegment spec) {
    for (Entry entry : entries) {
      if (entry.matches(backend, spec)) {
        return entry.plan;
      }
    }
    AttentionPlan plan = AttentionPlan.make(backend, spec);
    add(new Entry(backend, copy(spec), plan));
    return plan;
  }

  private synchronized void add(Entry entry) {
    Entry[] old = entries;
    Entry[] changed = new Entry[Math.min(CAPACITY, old.length + 1)];
    changed[0] = entry;
    System.arraycopy(old, 0, changed, 1, changed.length - 1);
    entries = changed;
  }

  private static MemorySegment copy(MemorySegment spec) {
    return MemorySegment.ofArray(spec.toArray(ValueLayout.JAVA_BYTE));
  }
}

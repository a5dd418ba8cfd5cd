package dev.fovea;

import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The last plans of one {@link Attention}. The key is the block itself, byte for byte, and the
 * device. Reads take no lock: entries live in an array that is copied on every change.
 */
final class PlanCache {
  /** Enough for the shapes of one model; a server with more shapes plans again, in microseconds. */
  private static final int CAPACITY = 16;

  private record Entry(DeviceBackend backend, MemorySegment spec, AttentionPlan plan) {
    boolean matches(DeviceBackend wanted, MemorySegment spec) {
      return backend == wanted && this.spec.mismatch(spec) < 0;
    }
  }

  private volatile Entry[] entries = {}; // newest first

  /** The block may be reused afterwards: it is copied. */
  AttentionPlan get(DeviceBackend backend, MemorySegment spec) {
    AttentionPlan kept = find(backend, spec);
    if (kept != null) {
      return kept;
    }
    AttentionPlan made = AttentionPlan.make(backend, spec);
    return keep(new Entry(backend, copy(spec), made));
  }

  private AttentionPlan find(DeviceBackend backend, MemorySegment spec) {
    for (Entry entry : entries) {
      if (entry.matches(backend, spec)) {
        return entry.plan;
      }
    }
    return null;
  }

  /** Two threads may make the same plan at the same time: both get the one that came first. */
  private synchronized AttentionPlan keep(Entry entry) {
    AttentionPlan first = find(entry.backend, entry.spec);
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

package dev.fovea;

import dev.fovea.ffi.Memory;
import java.lang.foreign.Arena;
import java.util.function.LongPredicate;
import java.util.function.Supplier;

/**
 * Counts what scopes hold of one memory, and refuses what would be above its limit. What scopes
 * hold is in their {@link Account}s. Thread-safe.
 */
final class MemoryBudget {
  /** Of all scopes of host memory in this process. */
  static final MemoryBudget HOST =
      new MemoryBudget(HostMemoryLimit::get, HostMemoryLimit::surelyAllows);

  private final Supplier<HostMemoryLimit> limit;
  private final LongPredicate surelyAllows;
  private long held; // guarded by this
  private int accounts; // guarded by this

  /**
   * With a limit that may be dear to ask for.
   *
   * @param surelyAllows true for numbers of bytes that need no asking
   */
  MemoryBudget(Supplier<HostMemoryLimit> limit, LongPredicate surelyAllows) {
    this.limit = limit;
    this.surelyAllows = surelyAllows;
  }

  /** For memory whose driver refuses by itself. */
  static MemoryBudget unlimited() {
    HostMemoryLimit none = new HostMemoryLimit(Long.MAX_VALUE, "no limit");
    return new MemoryBudget(() -> none, bytes -> true);
  }

  /** What one scope holds: given back once, when its memory goes. Thread-safe. */
  final class Account {
    private final String device;
    private long bytes; // guarded by this
    private boolean closed; // guarded by this

    private Account(String device) {
      this.device = device;
    }

    synchronized long bytes() {
      return bytes;
    }

    /**
     * Before memory is allocated.
     *
     * @throws FoveaException with {@link Status#OUT_OF_MEMORY} if that is above the limit
     * @throws IllegalStateException if the memory of this scope has gone
     */
    synchronized void reserve(long more) {
      if (closed) {
        throw new IllegalStateException("the arena of this scope is closed");
      }
      hold(more);
      bytes += more;
    }

    /** After it could not be allocated. */
    synchronized void giveBack(long less) {
      if (!closed) {
        release(less);
        bytes -= less;
      }
    }

    /** All of it goes when {@code arena} closes. */
    void closeWith(Arena arena) {
      // What the arena keeps must not keep it: an automatic one would never go.
      Memory.at(0, 0, arena, nothing -> close());
    }

    /** All of it has gone. Again does nothing. */
    synchronized void close() {
      if (closed) {
        return;
      }
      closed = true;
      release(bytes);
      closeAccount();
      if (ScopeCloseEvent.PROBE.isEnabled()) {
        ScopeCloseEvent event = new ScopeCloseEvent();
        event.device = device;
        event.bytes = bytes;
        event.held = held();
        event.commit();
      }
      bytes = 0;
    }
  }

  /** For a scope of {@code device}. */
  synchronized Account open(String device) {
    accounts++;
    return new Account(device);
  }

  private synchronized void closeAccount() {
    accounts--;
  }

  private synchronized void hold(long bytes) {
    if (!surelyAllows.test(held + bytes) && bytes > limit.get().bytes() - held) {
      throw new FoveaException(
          Status.OUT_OF_MEMORY,
          ("%,d bytes are too many: scopes hold %,d of the %,d bytes that they may hold, which is"
                  + " %s; -D%s=SIZE, such as 8g, allows more")
              .formatted(
                  bytes,
                  held,
                  limit.get().bytes(),
                  limit.get().origin(),
                  HostMemoryLimit.PROPERTY));
    }
    held += bytes;
  }

  private synchronized void release(long bytes) {
    held -= bytes;
  }

  /** Bytes. */
  synchronized long held() {
    return held;
  }

  /** Number of scopes whose memory has not gone. */
  synchronized int scopes() {
    return accounts;
  }

  /** Bytes; {@link Long#MAX_VALUE} where nothing but the device refuses. */
  long limit() {
    return limit.get().bytes();
  }
}

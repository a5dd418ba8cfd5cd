package dev.fovea;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the uses of something that must not be closed during one. Thread-safe: the count is one
 * word, so that a use and a close cannot both win.
 */
final class Uses {
  private static final int CLOSED = -1;

  private final AtomicInteger count = new AtomicInteger();

  /** Begins a use; false if it is closed. */
  boolean tryAcquire() {
    int found;
    do {
      found = count.get();
      if (found == CLOSED) {
        return false;
      }
    } while (!count.compareAndSet(found, found + 1));
    return true;
  }

  /** Begins a use; {@code what} is the subject of the exception where it is closed. */
  void acquire(String what) {
    if (!tryAcquire()) {
      throw new IllegalStateException(what + " is closed");
    }
  }

  void release() {
    count.getAndDecrement();
  }

  boolean isOpen() {
    return count.get() != CLOSED;
  }

  /**
   * Closes it; false if it was closed before.
   *
   * @param refusal message of the exception where it is in use; takes the number of uses
   */
  boolean close(String refusal) {
    if (count.compareAndSet(0, CLOSED)) {
      return true;
    }
    int found = count.get();
    if (found == CLOSED) {
      return false;
    }
    throw new IllegalStateException(refusal.formatted(Math.max(found, 1)));
  }

  /** Undoes {@link #close}. */
  void reopen() {
    count.set(0);
  }
}

package dev.fovea;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the uses of something that must not be closed during one. Thread-safe: the count is one
 * word, so that a use and a close cannot both win.
 */
final class Uses {
  private static final int CLOSED = -1;
  private static final int CLOSING = -2;

  private final AtomicInteger count = new AtomicInteger();

  /** Begins a use; false if it is closed. */
  boolean tryAcquire() {
    while (true) {
      int found = settled();
      if (found == CLOSED) {
        return false;
      }
      if (count.compareAndSet(found, found + 1)) {
        return true;
      }
    }
  }

  /** Whoever comes while it is being closed waits to see how that ends. */
  private int settled() {
    int found = count.get();
    while (found == CLOSING) {
      Thread.yield();
      found = count.get();
    }
    return found;
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

  /** True for the only use there is. */
  boolean isAlone() {
    return count.get() == 1;
  }

  /**
   * Closes it; false if it was closed before.
   *
   * @param refusal message of the exception where it is in use; takes the number of uses
   */
  boolean close(String refusal) {
    boolean begun = beginClose(refusal);
    if (begun) {
      endClose(true);
    }
    return begun;
  }

  /** As {@link #close}, but it is only closed if {@link #endClose} says so, which must follow. */
  boolean beginClose(String refusal) {
    while (!count.compareAndSet(0, CLOSING)) {
      int found = settled();
      if (found == CLOSED) {
        return false;
      }
      if (found > 0) {
        throw new IllegalStateException(refusal.formatted(found));
      }
    }
    return true;
  }

  void endClose(boolean closed) {
    count.set(closed ? CLOSED : 0);
  }
}

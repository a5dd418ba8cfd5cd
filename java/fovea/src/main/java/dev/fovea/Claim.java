package dev.fovea;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What lets one thread at a time use an {@link OperationCall}, its backward passes, and the graphs
 * that both were captured in: they share memory. Held for all of a run or a change; whoever comes
 * second is refused and does not wait.
 */
final class Claim {
  private final AtomicBoolean held = new AtomicBoolean();

  void begin() {
    if (!held.compareAndSet(false, true)) {
      throw new IllegalStateException(
          "this call is running, or its backward pass or a graph of it, or another thread"
              + " changes it: make one for each thread; they may share attention and tensors");
    }
  }

  void end() {
    held.setRelease(false);
  }
}

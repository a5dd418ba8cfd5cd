package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;

/** Counts every item and checks the rules that hold for any work. */
final class CheckedWork implements Fanout.Work {
  final AtomicIntegerArray[] done;
  final AtomicBoolean[] busy;
  final AtomicBoolean open = new AtomicBoolean();
  final Queue<String> broken = new ConcurrentLinkedQueue<>();
  final long[] items;

  CheckedWork(int workers, long... items) {
    this.items = items;
    done = new AtomicIntegerArray[items.length];
    for (int p = 0; p < items.length; p++) {
      done[p] = new AtomicIntegerArray((int) items[p]);
    }
    busy = new AtomicBoolean[workers];
    for (int w = 0; w < workers; w++) {
      busy[w] = new AtomicBoolean();
    }
  }

  @Override
  public int run(int worker, int phase, long begin, long end) {
    if (!open.get()) {
      broken.add("run after the end");
    }
    if (!busy[worker].compareAndSet(false, true)) {
      broken.add("two threads are worker " + worker);
    }
    for (int p = 0; p < phase; p++) {
      for (int i = 0; i < items[p]; i++) {
        if (done[p].get(i) != 1) {
          broken.add("phase " + phase + " runs before item " + i + " of phase " + p);
        }
      }
    }
    for (long i = begin; i < end; i++) {
      done[phase].incrementAndGet((int) i);
    }
    if (ThreadLocalRandom.current().nextInt(4) == 0) {
      Thread.yield();
    }
    busy[worker].set(false);
    return 0;
  }

  void runOn(Fanout fanout, int workers) {
    open.set(true);
    assertEquals(-1, fanout.run(this, items, workers));
    open.set(false);
    for (int p = 0; p < items.length; p++) {
      for (int i = 0; i < items[p]; i++) {
        assertEquals(1, done[p].get(i), "phase " + p + " item " + i);
      }
    }
    assertEquals(List.of(), List.copyOf(broken));
  }
}

package dev.fovea;

import dev.fovea.ffi.Abi;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Shares the items of a run between the caller and helpers on an executor. Used by one caller at a
 * time, again and again.
 *
 * <p>The caller always takes items itself, so a run ends whatever the executor does: run helpers
 * late, never, twice, inline, or throw. In the end the caller waits for those helpers alone that
 * are inside an item. A helper that comes late finds the run closed and touches nothing; if the
 * next run is open by then, it helps with that one. What an executor keeps waiting holds this
 * object, and this object holds nothing of a run that has ended.
 *
 * <p>Everything a helper must know to come in is one atomic word: whether the run is open, how many
 * worker numbers are free, and how many helpers are inside. What it reads afterwards belongs to the
 * run that the word admitted it to, because a run changes nothing before its last helper has left.
 */
final class Fanout {
  /** A part of a run. Returns a status of {@link Abi}. */
  interface Work {
    int run(int worker, int phase, long begin, long end);
  }

  /** More would not fit into their half of the word's lower part. */
  static final int MAX_WORKERS = 0xffff;

  private static final long INSIDE = 0xffff; // helpers inside: the lowest 16 bits
  private static final int FREE_SHIFT = 16; // free worker numbers: the next 16
  private static final long FREE_ONE = 1L << FREE_SHIFT;
  private static final long OPEN = 1L << 32;

  /** Chunks for each worker: enough to even out causal rows, few enough to cost nothing. */
  private static final int CHUNKS_PER_WORKER = 8;

  /** How often to look again before sleeping; a helper's last item is often as long as ours. */
  private static final int SPINS = 500;

  /** Submissions that helpers are waited for before they count as lost, at first. */
  private static final int PATIENCE = 8;

  private static final int MOST_PATIENCE = 1 << 30;

  private static final int NONE = -1;
  private static final long STOPPED = Long.MAX_VALUE / 2;

  private static final VarHandle STATE;
  private static final VarHandle NEXT;
  private static final VarHandle FAILED_WORKER;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      STATE = lookup.findVarHandle(Fanout.class, "state", long.class);
      NEXT = lookup.findVarHandle(Fanout.class, "next", long.class);
      FAILED_WORKER = lookup.findVarHandle(Fanout.class, "failedWorker", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /**
   * Helpers, all the same object so that a submission allocates only its node; the number is that
   * of those which have been submitted and have not begun.
   */
  @SuppressWarnings("serial") // nobody writes it anywhere
  private final class Helpers extends AtomicInteger implements Runnable {
    void submit() {
      getAndIncrement();
      executor.execute(this);
    }

    void gone() {
      int found = get();
      while (found > 0 && !compareAndSet(found, found - 1)) { // run twice, they are more than sent
        found = get();
      }
    }

    @Override
    public void run() {
      gone();
      help();
    }
  }

  private final Executor executor;

  private volatile long state;
  private volatile long next; // first item nobody has taken

  // Of the caller.
  private Helpers helpers = new Helpers();
  private int waited; // submissions since none of them was waiting
  private int patience = PATIENCE;

  // Of the open phase; written while it is closed and nobody is inside.
  private Work work;
  private int phase;
  private long items;
  private long chunk;
  private Thread caller;

  private volatile int failedWorker;
  private int failedStatus;
  private Throwable thrown;

  Fanout(Executor executor) {
    this.executor = executor;
  }

  /**
   * Does all items of all phases, one phase after the other, with at most {@code workers} threads.
   *
   * @return the worker that failed first, whose status is then {@link #failedStatus}, or -1
   * @throws RuntimeException what {@code work} threw first, in whatever thread
   */
  int run(Work work, long[] itemsOfPhase, int workers) {
    this.work = work;
    failedWorker = NONE;
    failedStatus = Abi.OK;
    thrown = null;
    caller = Thread.currentThread();
    try {
      for (int p = 0; p < itemsOfPhase.length && failedWorker == NONE; p++) {
        if (itemsOfPhase[p] > 0) {
          runPhase(p, itemsOfPhase[p], workers);
        }
      }
    } finally {
      this.work = null; // helpers that wait would keep its memory, and a thread that ends
      caller = null;
    }
    if (thrown != null) {
      rethrow();
    }
    return failedWorker;
  }

  int failedStatus() {
    return failedStatus;
  }

  private void runPhase(int phase, long items, int workers) {
    this.phase = phase;
    this.items = items;
    this.chunk = Math.max(1, items / ((long) workers * CHUNKS_PER_WORKER));
    next = 0;
    long helpers = Math.min(workers - 1, (items + chunk - 1) / chunk - 1);
    state = OPEN | helpers * FREE_ONE; // publishes all of the above
    try {
      submit(helpers);
      take(0);
    } finally {
      STATE.getAndBitwiseAnd(this, ~OPEN);
      awaitHelpers();
    }
  }

  /**
   * Helpers that wait in a saturated executor are not submitted again: its queue would only grow.
   * But it may have dropped them, and tells nobody. So others take their place after a while, and
   * after twice that if they have not begun either: too seldom to fill a queue.
   */
  private void submit(long wanted) {
    int waiting = helpers.get();
    if (waiting == 0) {
      waited = 0;
      patience = PATIENCE;
    } else if (++waited > patience) {
      helpers = new Helpers();
      waiting = 0;
      waited = 0;
      patience = 2 * Math.min(patience, MOST_PATIENCE / 2);
    }
    for (long i = waiting; i < wanted && next < items; i++) {
      try {
        helpers.submit();
      } catch (Throwable refused) { // or no thread can be made for it: the caller does it all
        helpers.gone();
        return;
      }
    }
  }

  private void help() {
    int worker = enter();
    if (worker != NONE) {
      try {
        take(worker);
      } finally {
        leave();
      }
    }
  }

  /** A free worker number of the run that is open, or {@link #NONE}. */
  private int enter() {
    while (true) {
      long found = state;
      int free = (int) (found >>> FREE_SHIFT) & MAX_WORKERS;
      if ((found & OPEN) == 0 || free == 0) {
        return NONE;
      }
      if (STATE.compareAndSet(this, found, found - FREE_ONE + 1)) {
        return free; // counted down to 1; 0 is the caller
      }
    }
  }

  private void leave() {
    long before = (long) STATE.getAndAdd(this, -1L);
    if ((before & OPEN) == 0 && (before & INSIDE) == 1) {
      LockSupport.unpark(caller); // maybe null by now, then nobody waits
    }
  }

  private void take(int worker) {
    while (true) {
      long begin = (long) NEXT.getAndAdd(this, chunk);
      if (begin >= items) {
        return;
      }
      try {
        int status = work.run(worker, phase, begin, Math.min(begin + chunk, items));
        if (status != Abi.OK) {
          fail(worker, status, null);
        }
      } catch (Throwable t) {
        fail(worker, Abi.OK, t);
      }
    }
  }

  /** The first failure counts; nobody takes another item. */
  private void fail(int worker, int status, Throwable cause) {
    if (FAILED_WORKER.compareAndSet(this, NONE, worker)) {
      failedStatus = status;
      thrown = cause;
    }
    next = STOPPED;
  }

  private void awaitHelpers() {
    boolean interrupted = false;
    for (int spins = 0; (state & INSIDE) != 0; spins++) {
      if (spins < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        // An interrupt would make every later park return at once.
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void rethrow() {
    Throwable thrown = this.thrown;
    this.thrown = null; // likewise
    switch (thrown) {
      // A closed arena, mostly. The caller wants to see its own stack, not a pool thread's.
      case IllegalStateException e -> throw new IllegalStateException(e.getMessage(), e);
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(thrown);
    }
  }
}

package dev.fovea.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The most bytes that cores read in a second from memory that no cache holds, all of them at once:
 * they share what the machine can do. Counted for one of them.
 */
final class ReadPeak {

  private static final long SIZE = 256L << 20; // of a core
  private static final int LANES = FmaPeak.SPECIES.length();

  private static MemorySegment memory = MemorySegment.NULL;
  private static int cores = 1;
  private static ExecutorService helpers;
  private static volatile float sink;

  private ReadPeak() {}

  /** From now on so many cores read. */
  static void of(int threads) {
    cores = threads;
    if (helpers == null && threads > 1) {
      helpers =
          Executors.newFixedThreadPool(
              threads - 1, Thread.ofPlatform().daemon().name("reader-", 0).factory());
    }
  }

  /** Bytes that a core reads in one {@link #run}. */
  static double bytes() {
    return SIZE;
  }

  /** Some tens of milliseconds of nothing but loads. */
  static void run() {
    if (memory.byteSize() < cores * SIZE) {
      memory = Arena.global().allocate(cores * SIZE, 1 << 21).fill((byte) 1);
    }
    try {
      Future<?>[] others = new Future<?>[cores - 1];
      for (int i = 0; i < others.length; i++) {
        MemorySegment part = memory.asSlice((i + 1) * SIZE, SIZE);
        others[i] = helpers.submit(() -> sink = sum(part));
      }
      sink = sum(memory.asSlice(0, SIZE));
      for (Future<?> other : others) {
        other.get();
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static float sum(MemorySegment part) {
    FloatVector a = FloatVector.zero(FmaPeak.SPECIES);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long step = LANES * (long) Float.BYTES;
    ByteOrder order = ByteOrder.nativeOrder();
    for (long at = 0; at < SIZE; at += 4 * step) {
      a = a.add(FloatVector.fromMemorySegment(FmaPeak.SPECIES, part, at, order));
      b = b.add(FloatVector.fromMemorySegment(FmaPeak.SPECIES, part, at + step, order));
      c = c.add(FloatVector.fromMemorySegment(FmaPeak.SPECIES, part, at + 2 * step, order));
      d = d.add(FloatVector.fromMemorySegment(FmaPeak.SPECIES, part, at + 3 * step, order));
    }
    return a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
  }
}

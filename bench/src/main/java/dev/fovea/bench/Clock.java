package dev.fovea.bench;

/**
 * Cycles of a core's clock, by a chain of operations of which each waits for the one before: an int
 * product takes 3 cycles, an exclusive or 1, on every x86-64 with AVX2.
 */
final class Clock {

  private static final int ITERATIONS = 20_000;
  private static final double CYCLES = 4;

  // Neither a power of two nor next to one: the compiler keeps the product.
  private static final int FACTOR = 0x2c1b3c6d;

  private static volatile int sink;

  private Clock() {}

  /** Cycles of one {@link #run}. */
  static double cycles() {
    return CYCLES * ITERATIONS;
  }

  /** Some tens of microseconds of nothing but the chain. */
  static void run() {
    int x = sink;
    for (int n = 0; n < ITERATIONS; n++) {
      x = x * FACTOR ^ n;
    }
    sink = x;
  }
}

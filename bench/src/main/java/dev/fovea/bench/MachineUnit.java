package dev.fovea.bench;

import java.util.function.DoubleSupplier;

/** What one core does at most in a second of something, by work that does nothing else. */
enum MachineUnit {
  /** Operations of the multiply-add units: two for each lane, whichever operation it is. */
  FLOP("FLOP", FmaPeak::flops, 8e9) {
    @Override
    void run() {
      FmaPeak.run();
    }
  },
  /** Quotients of float32 vectors, counted in lanes. */
  DIVISION("divisions", DivisionPeak::divisions, 1e9) {
    @Override
    void run() {
      DivisionPeak.run();
    }
  },
  /** Read and written by a {@linkplain CopyPeak copy}. */
  BYTE("bytes", CopyPeak::bytes, 1e9) {
    @Override
    void run() {
      CopyPeak.run();
    }
  },
  /** {@linkplain ReadPeak Read}, by as many cores as a problem has, counted for one of them. */
  READ("bytes read", ReadPeak::bytes, 1e9) {
    @Override
    void run() {
      ReadPeak.run();
    }
  },
  /** Of the core's clock, which virtual machines do not show and which changes all the time. */
  CYCLE("cycles", Clock::cycles, 8e8) {
    @Override
    void run() {
      Clock.run();
    }
  };

  private static final double PATIENCE_SECONDS = 60;

  private final String text;
  private final DoubleSupplier work;
  private final double compiled;

  /** Beyond {@code compiled} a second neither the interpreter comes, nor boxed vectors. */
  MachineUnit(String text, DoubleSupplier work, double compiled) {
    this.text = text;
    this.work = work;
    this.compiled = compiled;
  }

  /** What is counted. */
  String text() {
    return text;
  }

  /** How much of it one {@link #run} does. */
  double work() {
    return work.getAsDouble();
  }

  /** Some tens of microseconds of nothing else; of copies, milliseconds. */
  abstract void run();

  /**
   * Runs until it is compiled, however long the compiler's thread has to wait for a core.
   *
   * @throws IllegalStateException if it never is: this CPU has no such vectors
   */
  void warmUp() {
    long begin = System.nanoTime();
    double speed = 0;
    while (speed < compiled) {
      long start = System.nanoTime();
      if ((start - begin) * 1e-9 > PATIENCE_SECONDS) {
        throw new IllegalStateException(text + " are not compiled: the CPU needs AVX2 and FMA");
      }
      run();
      speed = work() / ((System.nanoTime() - start) * 1e-9);
    }
  }
}

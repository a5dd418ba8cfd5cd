package dev.fovea.bench;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The most float32 divisions that one core does in a second, as {@link FmaPeak} does others. */
final class DivisionPeak {

  // Constant, for the same reason as that of FmaPeak.
  private static final VectorSpecies<Float> SPECIES = FmaPeak.SPECIES;

  private static final int ITERATIONS = 4_000;
  private static final int CHAINS = 4; // a quotient takes less than four times as long as its unit

  private static volatile float sink;

  private DivisionPeak() {}

  /** Divisions of one {@link #run}. */
  static double divisions() {
    return (double) ITERATIONS * CHAINS * SPECIES.length();
  }

  /** Some tens of microseconds of nothing but divisions. */
  static void run() {
    FloatVector x = FloatVector.broadcast(SPECIES, 1.001f);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    for (int n = 0; n < ITERATIONS; n++) {
      a = x.div(a);
      b = x.div(b);
      c = x.div(c);
      d = x.div(d);
    }
    sink = a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
  }
}

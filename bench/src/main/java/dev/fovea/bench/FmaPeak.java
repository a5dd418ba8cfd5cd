package dev.fovea.bench;

import dev.fovea.Device.Isa;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The most float32 operations that one core does in a second: independent fused multiply-adds on
 * registers alone, with the vectors of an instruction set tier. No kernel of that tier can be
 * faster.
 *
 * <p>The Vector API still incubates; nothing else in the JVM reaches the registers without native
 * code of our own.
 */
final class FmaPeak {

  // Constant for the whole process: only then does C2 keep the vectors in registers. The portable
  // tier is held against AVX2, which is above its true bound.
  static final VectorSpecies<Float> SPECIES =
      Machine.tier().compareTo(Isa.AVX512) >= 0 ? FloatVector.SPECIES_512 : FloatVector.SPECIES_256;

  private static final int ITERATIONS = 10_000;
  private static final int CHAINS =
      12; // 8 are in flight, latency 4 times two units; fewer than 12 do not fill them

  private static volatile float sink;

  private FmaPeak() {}

  /** Operations of one {@link #run}. */
  static double flops() {
    return 2.0 * ITERATIONS * CHAINS * SPECIES.length();
  }

  /** Some tens of microseconds of nothing but multiply-adds. */
  static void run() {
    sink = chains();
  }

  private static float chains() {
    FloatVector x = FloatVector.broadcast(SPECIES, .999f);
    FloatVector y = FloatVector.broadcast(SPECIES, .001f);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    FloatVector e = x;
    FloatVector f = x;
    FloatVector g = x;
    FloatVector h = x;
    FloatVector i = x;
    FloatVector j = x;
    FloatVector k = x;
    FloatVector l = x;
    for (int n = 0; n < ITERATIONS; n++) {
      a = a.fma(x, y);
      b = b.fma(x, y);
      c = c.fma(x, y);
      d = d.fma(x, y);
      e = e.fma(x, y);
      f = f.fma(x, y);
      g = g.fma(x, y);
      h = h.fma(x, y);
      i = i.fma(x, y);
      j = j.fma(x, y);
      k = k.fma(x, y);
      l = l.fma(x, y);
    }
    FloatVector sum =
        a.add(b).add(c).add(d).add(e).add(f).add(g).add(h).add(i).add(j).add(k).add(l);
    return sum.reduceLanes(VectorOperators.ADD);
  }
}

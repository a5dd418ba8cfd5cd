package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Style;

/**
 * Random backward cases: the forward cases of {@link CaseGenerator}, smaller, and what a backward
 * adds, drawn apart from them. Case (seed, index) is a pure function of the two numbers and of the
 * limits.
 */
public final class BackwardGenerator {

  /** Five products where the forward has two, and the oracle sums bounds beside each. */
  private static final double SHARE = 1.0 / 3;

  private static final long SALT = 0x6261636b77617264L; // "backward"

  private BackwardGenerator() {}

  /** Case {@code index} of the sequence {@code seed}. */
  public static BackwardCase generate(long seed, long index, Limits limits) {
    CaseBuilder forward = CaseGenerator.draw(seed, index, limits, SHARE);
    forward.repeat = "--pass backward --seed " + seed + " --case " + index;
    Gaussian random = new Gaussian(Gaussian.mix(forward.dataSeed + SALT));
    BackwardBuilder c = new BackwardBuilder(forward);
    c.dtype =
        random.chance(0.3)
            ? random.pick(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)
            : forward.dtype;
    c.deterministic = random.chance(0.3);
    c.accumulate = random.chance(0.25);
    c.gradients(random.chance(0.7), random.chance(0.7), random.chance(0.7));
    c.dout = Style.drawInput(random);
    if (forward.plain && random.chance(0.9)) {
      c.dout = Style.drawAligned(random, forward.valueHeadDim);
    }
    c.dquery = Style.draw(random);
    c.dkey = Style.draw(random);
    c.dvalue = random.chance(0.5) ? c.dkey : Style.draw(random);
    c.dbiasStyle = Style.draw(random);
    c.dalibiStyle = Style.draw(random);
    c.drows = random.chance(0.7);
    c.drowStyle = Style.draw(random);
    c.dtable = random.chance(0.7);
    c.dtableStyle = Style.draw(random);
    c.dmodifierTable = random.chance(0.7);
    c.dmodifierStyle = Style.draw(random);
    c.dkeyGates = random.chance(0.7);
    c.doutputGates = random.chance(0.7);
    c.dgateStyle = Style.draw(random);
    c.dpositions = random.chance(0.7);
    c.dpositionStyle = Style.draw(random);
    return c.build();
  }
}

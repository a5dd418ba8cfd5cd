package dev.fovea.testkit.crossentropy;

import dev.fovea.ffi.NativeCrossEntropy;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of cross-entropy. */
public final class CrossEntropyCases extends Operation {

  /** The operation. */
  public static final CrossEntropyCases OPERATION = new CrossEntropyCases();

  private CrossEntropyCases() {
    super(NativeCrossEntropy.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(pass, seed, index, limits);
  }

  @Override
  public String width() {
    return "V";
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}

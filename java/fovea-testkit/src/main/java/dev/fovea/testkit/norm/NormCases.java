package dev.fovea.testkit.norm;

import dev.fovea.ffi.NativeNorm;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of normalization. */
public final class NormCases extends Operation {

  /** The operation. */
  public static final NormCases OPERATION = new NormCases();

  private NormCases() {
    super(NativeNorm.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(pass, seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}

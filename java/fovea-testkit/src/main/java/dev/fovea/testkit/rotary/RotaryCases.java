package dev.fovea.testkit.rotary;

import dev.fovea.ffi.NativeRotary;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of rotary position embedding. */
public final class RotaryCases extends Operation {

  /** The operation. */
  public static final RotaryCases OPERATION = new RotaryCases();

  private RotaryCases() {
    super(NativeRotary.OPERATION);
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
